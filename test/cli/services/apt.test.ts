import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { aptInstall } from '../../../cli/services/apt.ts'

/** Puts an apt before the real one: it knows one Java, and keeps a diary. */
const fakeApt = (knownJava: string, installs: string): (() => string) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-apt-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'bin'))
  const programs = {
    'apt-get': `echo "$@" >> ${folder}/diary; case $1 in install) ${installs} ;; esac`,
    'apt-cache': `case $2 in ${knownJava}) echo "$2 | 1.0" ;; esac`,
  }
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(folder, 'bin', name), 0o755)
  }
  vi.stubEnv('PATH', `${join(folder, 'bin')}:${process.env.PATH}`)
  vi.stubEnv('CI', 'true')
  onTestFinished(() => void vi.unstubAllEnvs())
  return () => readFileSync(join(folder, 'diary'), 'utf8')
}

const packages = ['openjdk-17-jre-headless', 'maven', 'redis-server']

test('it updates the lists, says what it installs, and installs just that', async () => {
  const diary = fakeApt('openjdk-17-jre-headless', 'true')
  const lines: string[] = []
  const result = await aptInstall(packages, { yes: false, log: (line) => void lines.push(line) })
  expect(result).toEqual({ installed: true })
  expect(lines).toEqual([
    'installing with apt-get: openjdk-17-jre-headless maven redis-server (first time only)',
  ])
  expect(diary()).toBe(
    'update -q\ninstall -q -y --no-install-recommends openjdk-17-jre-headless maven redis-server\n',
  )
})

test('a system without Java 17 gets the next one it has', async () => {
  const diary = fakeApt('openjdk-21-jre-headless', 'true')
  await aptInstall(packages, { yes: false, log: () => {} })
  expect(diary()).toContain(
    'install -q -y --no-install-recommends openjdk-21-jre-headless maven redis-server',
  )
})

test('what apt complains of is the reason', async () => {
  fakeApt('openjdk-17-jre-headless', 'echo "E: Unable to locate package maven" >&2; exit 100')
  const result = await aptInstall(packages, { yes: false, log: () => {} })
  expect(result).toEqual({ installed: false, reason: 'E: Unable to locate package maven' })
})

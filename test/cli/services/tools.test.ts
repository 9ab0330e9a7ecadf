import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { wantsAnswer } from '../../../cli/services/apt.ts'
import {
  type FoundTools,
  findTools,
  type Machine,
  missingTools,
  remedyFor,
  type ToolName,
  which,
} from '../../../cli/services/tools.ts'

const all = new Set<ToolName>(['java', 'maven', 'redis'])
const nothing: FoundTools = { java: undefined, maven: undefined, redis: undefined }
const debianRoot: Machine = { platform: 'linux', isRoot: true, hasApt: true, hasBrew: false }

const at = (path: string, version: number) => ({ path, version, says: '' })
const complete: FoundTools = {
  java: at('/usr/bin/java', 17),
  maven: at('/usr/bin/mvn', 0),
  redis: at('/usr/bin/redis-server', 6.2),
}

test('a complete machine lacks nothing', () => {
  expect(missingTools(complete, all)).toEqual([])
})

test('only what is needed counts as missing: Maven no more, once the jars are there', () => {
  expect(missingTools(nothing, new Set(['java', 'redis'])).map(({ tool }) => tool)).toEqual(['java', 'redis'])
})

test('a tool that is too old is missing, and the message says what was found', () => {
  const old = { ...complete, java: at('/usr/bin/java', 11), redis: at('/usr/bin/redis-server', 6) }
  expect(missingTools(old, all).map(({ need }) => need)).toEqual([
    'Java 17 or newer (found 11)',
    'redis-server 6.2 or newer (found 6)',
  ])
})

test('as root on Debian the packages are ours to install', () => {
  expect(remedyFor(missingTools(nothing, all), debianRoot)).toEqual({
    by: 'apt',
    packages: ['openjdk-17-jre-headless', 'maven', 'redis-server'],
  })
})

test.each([
  [
    'Debian without root',
    { ...debianRoot, isRoot: false },
    'sudo apt-get install -y openjdk-17-jre-headless maven redis-server',
  ],
  [
    'macOS',
    { platform: 'darwin', isRoot: false, hasApt: false, hasBrew: true },
    'brew install openjdk@17 maven redis && export JAVA_HOME="$(brew --prefix openjdk@17)"',
  ],
  [
    'another system',
    { platform: 'freebsd', isRoot: true, hasApt: false, hasBrew: false },
    "install Java 17 or newer, Maven, redis-server 6.2 or newer with your system's package manager",
  ],
] as const)('on %s the exact command is named', (_, machine, command) => {
  expect(remedyFor(missingTools(nothing, all), machine)).toEqual({ by: 'person', command })
})

test('it asks on a terminal only, and not when told yes or in CI', () => {
  expect(wantsAnswer({ terminal: true, yes: false, ci: false })).toBe(true)
  expect(wantsAnswer({ terminal: true, yes: true, ci: false })).toBe(false)
  expect(wantsAnswer({ terminal: true, yes: false, ci: true })).toBe(false)
  expect(wantsAnswer({ terminal: false, yes: false, ci: false })).toBe(false)
})

/** A folder of fake programs that print what they are told. */
const fakeTools = (programs: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-tools-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [name, says] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\ncat <<'END' >&2\n${says}\nEND\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return folder
}

test('versions are read from what the tools say', async () => {
  const folder = fakeTools({
    java: 'openjdk version "21.0.4" 2024-07-16',
    'redis-server': 'Redis server v=7.2.5 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64',
  })
  expect(await findTools({ PATH: `${folder}:/bin:/usr/bin` })).toMatchObject({
    java: { path: join(folder, 'java'), version: 21 },
    redis: { path: join(folder, 'redis-server'), version: 7.2 },
  })
})

test('the Java of JAVA_HOME goes before the one on the path', async () => {
  const home = mkdtempSync(join(tmpdir(), 'millrace-java-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  const folder = fakeTools({ java: 'openjdk version "11.0.1"' })
  expect((await findTools({ PATH: `${folder}:/bin`, JAVA_HOME: home })).java?.version).toBe(11)
  expect((await findTools({ PATH: '/bin', JAVA_HOME: join(folder, 'none') })).java?.version).not.toBe(11)
})

test('a file that cannot be run is no tool', () => {
  const folder = fakeTools({ mvn: '' })
  expect(which('mvn', { PATH: folder })).toBe(join(folder, 'mvn'))
  chmodSync(join(folder, 'mvn'), 0o644)
  expect(which('mvn', { PATH: folder })).toBeUndefined()
})

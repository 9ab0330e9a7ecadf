import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kafkaAnswers, redisAnswers } from '../../../cli/services/ready.ts'
import { run } from '../../../cli/services/run.ts'
import { findServices } from '../../../cli/services/services.ts'
import { isAlive, markOf } from '../../../cli/services/state.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { borrowedDataDir, useServices } from '../../support/services.ts'

const program = join(import.meta.dirname, '../../../cli/millrace.mjs')

const millrace = (dataDir: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  run(process.execPath, [program, 'services', ...args], { env: { MILLRACE_DATA_DIR: dataDir, ...env } })

interface Shown {
  readonly running: boolean
  readonly kind: string
  readonly kafka: readonly string[]
  readonly redis: string
  readonly processes: readonly { readonly name: string; readonly pid: number }[]
}

test('up leaves them running for other commands, status shows them, down leaves no process', async () => {
  await using data = await borrowedDataDir()
  const up = await millrace(data.path, ['up', '--native', '--json'])
  expect(up).toMatchObject({ code: 0, stderr: expect.stringContaining('services: native') })
  const shown = JSON.parse(up.stdout) as Shown
  expect(shown).toMatchObject({ running: true, kind: 'native' })
  const marks = shown.processes.map(({ name, pid }) => markOf(name, pid))
  expect(marks.map(({ name }) => name)).toEqual(['kafka-1', 'redis'])
  try {
    expect(await kafkaAnswers(shown.kafka[0] ?? '', 1)).toBe(true)
    expect(await redisAnswers(shown.redis)).toBe(true)
    expect(JSON.parse((await millrace(data.path, ['status', '--json'])).stdout)).toEqual(shown)
    const again = await millrace(data.path, ['up', '--native', '--json'])
    expect(again.stderr).toContain('services: found native')
    expect(JSON.parse(again.stdout)).toEqual(shown)
    const settings = readSettings({ MILLRACE_DATA_DIR: data.path })
    expect(await findServices(settings, { name: 'local' })).toMatchObject({ found: true, kafka: shown.kafka })
  } finally {
    expect((await millrace(data.path, ['down'])).stdout).toBe('stopped; the data stays\n')
  }
  expect(marks.filter(isAlive)).toEqual([])
  expect((await millrace(data.path, ['down'])).stdout).toBe('nothing runs\n')
  expect(JSON.parse((await millrace(data.path, ['status', '--json'])).stdout)).toEqual({ running: false })
}, 120_000)

test('addresses in the settings are taken as they are, and a password is not shown', async () => {
  await using data = await borrowedDataDir()
  const given = { MILLRACE_KAFKA_BROKERS: 'a:1,b:2', MILLRACE_REDIS_URL: 'redis://:secret@c:3' }
  const { stdout, stderr, code } = await millrace(data.path, ['up'], given)
  expect(code).toBe(0)
  expect(stderr).toBe('services: as given, Kafka at a:1,b:2, Redis at c:3\n')
  expect(stdout).toBe('MILLRACE_KAFKA_BROKERS=a:1,b:2\nMILLRACE_REDIS_URL=redis://:***@c:3\n')
})

test('with Kafka given only Redis is started', async () => {
  await using data = await borrowedDataDir()
  const { kafka } = await useServices()
  const env = { MILLRACE_KAFKA_BROKERS: kafka.join() }
  const shown = JSON.parse((await millrace(data.path, ['up', '--native', '--json'], env)).stdout) as Shown
  const marks = shown.processes.map(({ name, pid }) => markOf(name, pid))
  await millrace(data.path, ['down'], env)
  expect(shown.kafka).toEqual(kafka)
  expect(marks.map(({ name }) => name)).toEqual(['redis'])
  expect(marks.filter(isAlive)).toEqual([])
}, 60_000)

/** A `docker` that has an engine, starts a real redis-server for `up`, and keeps a diary. */
const fakeDocker = (folder: string, up: string): string => {
  mkdirSync(join(folder, 'bin'))
  const script = `#!/bin/sh
echo "$@" >> ${folder}/diary
case "$*" in
  info*) echo 28.0.0 ;;
  "compose version"*) echo 2.30.0 ;;
  *" up "*) ${up} ;;
  *" down") kill $(cat ${folder}/pid) ;;
esac
`
  writeFileSync(join(folder, 'bin', 'docker'), script, { mode: 0o755 })
  return `${join(folder, 'bin')}:${process.env.PATH}`
}

test('Docker Compose is used where an engine answers', async () => {
  await using data = await borrowedDataDir()
  const redis = 'redis-server --port $REDIS_PORT --save "" --daemonize yes --pidfile'
  const env = { PATH: fakeDocker(data.path, `${redis} ${data.path}/pid`), MILLRACE_KAFKA_BROKERS: 'a:1' }
  const up = await millrace(data.path, ['up', '--json'], env)
  expect(up.stderr).toContain('services: Docker Compose, Kafka at a:1')
  const shown = JSON.parse(up.stdout) as Shown
  expect(shown).toMatchObject({ kind: 'compose', processes: [] })
  expect(await redisAnswers(shown.redis)).toBe(true)
  expect((await millrace(data.path, ['down'], env)).code).toBe(0)
  await expect.poll(() => redisAnswers(shown.redis)).toBe(false)
}, 60_000)

test('where Docker Compose does not start them it says so and goes on natively', async () => {
  await using data = await borrowedDataDir()
  const path = fakeDocker(data.path, 'echo "pull access denied" >&2; exit 1')
  const env = { PATH: path, MILLRACE_KAFKA_BROKERS: 'a:1' }
  const up = await millrace(data.path, ['up', '--json'], env)
  await millrace(data.path, ['down'], env)
  expect(up.stderr).toContain('Docker Compose does not start them (pull access denied)')
  expect(JSON.parse(up.stdout)).toMatchObject({ kind: 'native' })
}, 60_000)

test('a missing tool is one line with the command, and nothing is half started', async () => {
  await using data = await borrowedDataDir()
  const { code, stderr } = await millrace(data.path, ['up', '--native'], { PATH: '/nowhere', JAVA_HOME: '' })
  expect(code).toBe(8)
  expect(stderr).toMatch(/^millrace: missing: Java 17 or newer, redis-server 6\.2 or newer; .+\n$/)
  expect(JSON.parse((await millrace(data.path, ['status', '--json'])).stdout)).toEqual({ running: false })
})

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { headerOf, messageOfLetter, produce, recordsOf } from '../letters/planted.ts'
import { TestCluster } from '../support/cluster.ts'
import { useServices } from '../support/services.ts'
import { millrace, start } from './millrace.ts'

/** Each test starts several processes, on a machine that may be busy. */
vi.setConfig({ testTimeout: 150_000 })

let services: Awaited<ReturnType<typeof useServices>>
let folder: string
beforeAll(async () => {
  services = await useServices()
  folder = await mkdtemp(join(tmpdir(), 'millrace-dlq-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const open = (pipeline = 'login-production') => TestCluster.open({ ...services, pipeline, partitions: 2 })
const run = ({ env }: TestCluster, ...args: string[]) => millrace(['dlq', ...args], { env })
const data = async (cluster: TestCluster, ...args: string[]) => {
  const { code, stdout, stderr } = await run(cluster, ...args, '-o', 'json')
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

const login = {
  user_id: 'ann',
  app_version: '2.3.0',
  ip: '10.1.2.3',
  locale: 'TX',
  device_id: 'device-1234',
  device_type: 'iOS',
  timestamp: 1_700_000_000,
}
const { device_type: _, ...bare } = login

interface Planted {
  readonly value: unknown
  readonly code: string
  readonly message?: string
  readonly headers?: Readonly<Record<string, string>>
}
const plant = async (cluster: TestCluster, letters: readonly Planted[]) => {
  const { settings, names, pipeline } = cluster
  const messages = letters.map(({ value, code, message = '', headers = {} }, offset) =>
    messageOfLetter({
      key: `key-of-ann-${offset}`,
      value: typeof value === 'string' ? value : JSON.stringify(value),
      origin: `${names.input}/0/${offset}`,
      pipeline: pipeline.name,
      failedAt: new Date(1_700_000_000_000 + offset).toISOString(),
      code,
      message,
      headers,
    }),
  )
  await produce(settings, { topic: names.deadLetters, which: 'home' }, messages)
}
const inputOf = ({ settings, names }: TestCluster) =>
  recordsOf(settings, { topic: names.input, which: 'input' })

const MANY = 10_000
const problems: readonly Planted[] = [
  { value: bare, code: 'schema:device_type', message: 'device_type is missing' },
  { value: { ...login, timestamp: 'x' }, code: 'schema:timestamp', message: 'timestamp does not fit' },
  { value: '{"user_id":"ann', code: 'not-json' },
  { value: login, code: 'process-threw', message: 'TypeError' },
]

test(`${MANY} letters read as ${problems.length} problems in a few seconds, with what mends each, masked`, async () => {
  await using cluster = await open()
  await plant(
    cluster,
    Array.from({ length: MANY }, (_, index) => problems[index % 4] ?? { value: '', code: '' }),
  )
  const started = performance.now()
  const groups: { count: number; code: string; remedy: string }[] = await data(cluster, 'groups')
  expect(performance.now() - started).toBeLessThan(30_000)
  expect(groups.map(({ code, count }) => [code, count])).toEqual(
    ['not-json', 'process-threw', 'schema:device_type', 'schema:timestamp'].map((code) => [code, MANY / 4]),
  )
  expect(groups.map(({ remedy }) => remedy)).toEqual([
    'mend its producer',
    "millrace dlq replay login-production --code 'process-threw', once its cause is gone",
    "millrace dlq repair login-production --code 'schema:device_type'",
    "millrace dlq repair login-production --code 'schema:timestamp' --set timestamp=<value>",
  ])
  const text = (await run(cluster, 'groups')).stdout
  expect(text).toMatch(/10,000 letters, 4 problems\n$/)
  expect(text, 'the bytes of broken JSON are personal too').toContain('{"xxxx_xx":"xxx')
})

test('letters are listed, shown and exported; personal data only where it is asked for', async () => {
  await using cluster = await open('login-privacy')
  await plant(cluster, [
    { value: { ...bare, email: 'ann@example.org' }, code: 'schema:device_type', headers: { who: 'ann' } },
  ])
  const place = `${cluster.names.deadLetters}/0/0`
  const { letters } = await data(cluster, 'list')
  expect(letters).toMatchObject([
    { letter: place, state: 'open', code: 'schema:device_type', key: '***nn-0' },
  ])
  for (const named of [place, `${cluster.names.input}/0/0`]) {
    const shown = await data(cluster, 'show', named)
    expect(shown).toMatchObject({
      letter: place,
      value: { fields: { ip: '10.1.*.*', email: '***' } },
      headers: [{ name: 'who', value: '***' }],
    })
  }
  expect(await data(cluster, 'show', place, '--raw')).toMatchObject({
    key: 'key-of-ann-0',
    value: { fields: { ip: '10.1.2.3' } },
  })
  const exported = await run(cluster, 'export')
  expect(JSON.parse(exported.stdout)).toMatchObject({
    letter: place,
    value: expect.stringContaining('10.1.2.3'),
  })
  expect((await data(cluster, 'list', '--field', 'ip')).letters).toEqual([])
  expect((await data(cluster, 'list', '--to', '2023-01-01')).letters).toEqual([])
})

test('a repair shows before it sends, sends only what the pipeline takes, and leaves its line', async () => {
  await using cluster = await open()
  await plant(cluster, [
    { value: bare, code: 'schema:device_type' },
    { value: { ...bare, timestamp: 'x' }, code: 'schema:device_type' },
    { value: bare, code: 'schema:device_type', headers: { [HEADER.replays]: '3' } },
  ])
  const rule = ['--default', 'device_type=unknown']
  const dry = await run(cluster, 'repair', ...rule, '--dry-run')
  expect(dry.stderr).toContain(
    '1 mended, 1 still failing (schema:timestamp), 1 came back too often (--max-replays)',
  )
  expect(dry.stderr).toContain('device_type: (absent) -> "unknown"')
  const unasked = await run(cluster, 'repair', ...rule)
  expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes to send') })
  expect(await inputOf(cluster)).toEqual([])
  const sent = await data(cluster, 'repair', ...rule, '--yes', '--as-user', 'ann@desk')
  expect(sent).toMatchObject({
    selected: 3,
    sent: 1,
    failing: { 'schema:timestamp': 1 },
    held: { looping: 1 },
  })
  const [record, ...others] = await inputOf(cluster)
  expect(others).toEqual([])
  expect(JSON.parse(record?.value?.toString() ?? '')).toEqual({ ...bare, device_type: 'unknown' })
  expect(record?.key?.toString()).toBe('key-of-ann-0')
  expect(record && headerOf(record, HEADER.repaired)).toBe('--default device_type')
  expect(record && headerOf(record, HEADER.replays)).toBe('1')
  expect(await data(cluster, 'log')).toMatchObject([
    { who: 'ann@desk', deed: 'repair', selected: 3, sent: 1, ended: true, what: '--default device_type' },
  ])
  expect(await data(cluster, 'list')).toMatchObject({ selected: 2, settled: 1 })
})

test('what is wrong is told in one line, and nothing is sent', async () => {
  await using cluster = await open()
  await plant(cluster, [{ value: { ...login, locale: 1 }, code: 'schema:locale' }])
  const { settings, names } = cluster
  const foreign = { key: null, value: Buffer.from('of somebody else'), partition: 1, headers: {} }
  await produce(settings, { topic: names.deadLetters, which: 'home' }, [foreign])
  const lines: readonly (readonly [string[], number, RegExp])[] = [
    [
      ['--default', 'device_type=x', '--yes'],
      0,
      /1 still failing \(schema:locale\); no rule changes any of the 1: nothing is sent/,
    ],
    [
      ['--set', 'timestamp=soon', '--yes'],
      0,
      /the schema or the pipeline refuses what the rules make of them: nothing is sent/,
    ],
    [
      ['--set', 'locales=TX', '--yes'],
      2,
      /^millrace: the schema of login-production has no field locales; did you mean locale\?\n$/,
    ],
    [['--letter', 'nowhere', '--yes'], 2, /^millrace: "nowhere" names no letter; /],
    [['--follow'], 2, /^millrace: --follow needs --park/],
    [['--code', 'other', '--yes'], 0, /^no open letter of \S+ is selected\n$/],
  ]
  for (const [args, code, line] of lines) {
    const ran = await run(cluster, 'repair', ...args)
    expect({ ...ran, args }).toMatchObject({ code, stderr: expect.stringMatching(line) })
    expect(ran.stderr).not.toMatch(/^ +at /m)
  }
  expect(await data(cluster, 'replay', '--yes', '--code', 'none')).toMatchObject({ sent: 0 })
  const listed = await data(cluster, 'list')
  expect(listed).toMatchObject({ selected: 1, foreign: 1 })
  expect(listed.letters.map(({ state }: { state: string }) => state).sort()).toEqual(['foreign', 'open'])
  expect(await data(cluster, 'replay', '--yes'), 'the foreign one is never sent').toMatchObject({
    selected: 1,
    sent: 1,
  })
  expect(await inputOf(cluster)).toHaveLength(1)
})

test('a follower mends letters as they come, parks the rest once, and goes on after a kill', async () => {
  await using cluster = await open()
  const park = join(folder, 'made', 'parked.jsonl')
  const follow = () => start(['dlq', 'repair', '--follow', '--park', park, '-o', 'json'], cluster.env)
  await plant(cluster, [
    { value: bare, code: 'schema:device_type' },
    { value: { ...login, locale: 1 }, code: 'schema:locale' },
  ])
  const first = follow()
  await expect
    .poll(async () => (await data(cluster, 'log')).at(0), { timeout: 60_000 })
    .toMatchObject({ sent: 1, parked: 1 })
  first.kill('SIGKILL')
  await first.run
  const line = await readFile(park, 'utf8')
  expect(
    line
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one)),
  ).toMatchObject([{ why: 'schema:locale', origin: `${cluster.names.input}/0/1` }])
  // Killed within a line.
  await writeFile(park, `${line}{"letter":"cut`)
  await plant(cluster, [{ value: bare, code: 'schema:device_type', headers: { [HEADER.replays]: '3' } }])
  const second = follow()
  await expect
    .poll(async () => (await data(cluster, 'log')).at(1), { timeout: 60_000 })
    .toMatchObject({ parked: 1 })
  second.kill('SIGTERM')
  expect(JSON.parse((await second.run).stdout)).toMatchObject({ sent: 0, parked: 1 })
  const lines = (await readFile(park, 'utf8')).trim().split('\n')
  expect(lines).toHaveLength(3)
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({ why: 'looping', replays: 3 })
  expect(await inputOf(cluster)).toHaveLength(1)
  expect(await data(cluster, 'list')).toMatchObject({ selected: 0, settled: 3 })
})

test('letters of a run under another name are found, mended and logged with --as', async () => {
  await using cluster = await open()
  const { settings, names, env } = cluster
  const records = [login, bare].map((value) => ({
    key: 'ann',
    value: Buffer.from(JSON.stringify(value)),
    partition: 0,
  }))
  await produce(settings, { topic: names.input, which: 'input' }, records)
  const ran = await millrace(['run', '--as', 'again', '--from', 'beginning', '--to', 'end'], { env })
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('1 dead letters') })
  expect(await data(cluster, 'list'), 'the original has none').toMatchObject({ selected: 0, foreign: 0 })
  const as = ['--as', 'again']
  const place = `${names.deadLetters}-again/0/0`
  expect((await data(cluster, 'list', ...as)).letters).toMatchObject([{ letter: place, state: 'open' }])
  expect(await data(cluster, 'show', `${names.input}/0/1`, ...as)).toMatchObject({ letter: place })
  expect((await run(cluster, 'export', ...as)).stdout).toContain(place)
  expect(await data(cluster, 'groups', ...as)).toMatchObject([
    { remedy: "millrace dlq repair login-production --as again --code 'schema:device_type'" },
  ])
  expect(await data(cluster, 'repair', ...as, '--yes')).toMatchObject({ pipeline: 'again', sent: 1 })
  expect(await inputOf(cluster)).toHaveLength(3)
  expect(await data(cluster, 'log', ...as)).toMatchObject([{ deed: 'repair', sent: 1 }])
  expect(await data(cluster, 'log')).toEqual([])
  const unknown = await run(cluster, 'list', '--as', 'nobody')
  expect(unknown).toMatchObject({ stdout: '', stderr: expect.stringMatching(/^millrace: .*-nobody.*\n$/) })
})

/** The demo of a shipped pipeline, on services of its own, and what other commands see of it while it runs. */
import { expect, test } from 'vitest'
import { Running } from '../support/cluster.ts'
import { borrowedDataDir } from '../support/services.ts'
import { millrace } from './millrace.ts'

const envFor = (dataDir: string) => ({ MILLRACE_DATA_DIR: dataDir, MILLRACE_THREADS: '1', NO_COLOR: '1' })

const last = (running: Running, pattern: RegExp): string =>
  running.lines.findLast((line) => pattern.test(line)) ?? ''

test('login-defaults: two clusters, seen by tail, audit and insights, audited and summed up at the end', async () => {
  await using data = await borrowedDataDir()
  const env = envFor(data.path)
  const words = [
    '--pipeline',
    'login-defaults',
    '--rate',
    '300',
    '--seed',
    '3',
    '--corrupt',
    '0.02',
    '--json',
  ]
  await using demo = new Running(['demo', ...words], env)
  await demo.says(
    /^services: native, Kafka at \S+ \(input\) and \S+ \(outputs and state\), Redis at/,
    120_000,
  )
  await demo.says(/outputs [1-9]/, 120_000)
  // Its records fail here and there, unless it is told otherwise: so that retries can be seen.
  await demo.says(/parked [1-9]/, 120_000)
  const queues = /retries: (http:\S+\/queues)$/.exec(last(demo, /^coordinator: /))?.[1]
  expect(await fetch(queues ?? '')).toMatchObject({ status: 200 })
  const tail = await millrace(['tail', 'processed-logins', '-n', '1', '-o', 'json'], { env })
  expect(Object.keys(JSON.parse(JSON.parse(tail.stdout).value)).toSorted()).toEqual([
    'app_version',
    'device_id',
    'device_type',
    'locale',
    'processed_timestamp',
    'user_id',
  ])
  const input = await millrace(['tail', 'user-login', '--cluster', 'input', '-n', '1'], { env })
  expect(input).toMatchObject({ code: 0, stdout: expect.stringContaining('"ip":') })
  const flush = ['insights', 'login-defaults', '--flush', '-o', 'json']
  const insights = await millrace(flush, { env })
  expect(insights).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/flushed: 4 slots have published/),
  })
  expect(JSON.parse(insights.stdout)).toMatchObject([
    { from: null, aggregates: { processed: expect.any(Number) }, waiting: expect.any(Number) },
  ])
  expect(await millrace(['audit', 'login-defaults', '--no-redis'], { env })).toMatchObject({ code: 0 })
  expect(await demo.stop('SIGINT')).toBe(0)
  const summary = JSON.parse(last(demo, /^\{"produced"/))
  expect(summary).toMatchObject({ dropped: 0, audit: { ok: true, lost: 0, double: 0, mismatch: 0 } })
  expect(summary.outputs + summary.dead).toBe(summary.produced)
  expect(summary.dead).toBeGreaterThan(0)
  const { processed, top_device_types, top_locales } = summary.aggregates
  expect(processed).toBe(summary.outputs)
  expect(Object.keys(top_device_types).toSorted()).toEqual(['android', 'iOS', 'unknown'])
  expect(Object.keys(top_locales)).toHaveLength(3)
}, 300_000)

test('login-insights: no output topic, insights of slots and of all, drops told, totals at the end', async () => {
  await using data = await borrowedDataDir()
  const words = [
    '--pipeline',
    'login-insights',
    '--count',
    '2000',
    '--rate',
    '500',
    '--missing',
    '10%',
    '--echo',
  ]
  await using demo = new Running(['demo', ...words], envFor(data.path))
  expect(await demo.exited).toBe(0)
  expect(demo.count(/^ins \S+ login-insights \{"metric":"peak_hour"/)).toBeGreaterThan(4)
  expect(demo.count(/^all peak_hour \{"metric":"peak_hour","hour":\d+,"logins":\d+\}$/)).toBeGreaterThan(0)
  // Where one of them is traced the line says which.
  const dropped =
    / warn {2}\S+ dropped \d+ records?: missing:device_type( \(one is \d+\/\d+\) \[trace [0-9a-f]{32}\])?$/
  expect(demo.count(dropped)).toBeGreaterThan(0)
  const [, done = '', dead = '', drops = ''] =
    /: ([\d,]+) done, ([\d,]+) dead letters, ([\d,]+) drops/.exec(last(demo, /2,000 records in/)) ?? []
  const [a, b, c] = [done, dead, drops].map((text) => Number(text.replace(',', '')))
  expect((a ?? 0) + (b ?? 0) + (c ?? 0)).toBe(2000)
  expect(c).toBeGreaterThan(0)
  expect(last(demo, /^ {2}logins: /)).toBe(`  logins: ${done}`)
  const regions = new Map(
    demo.lines.flatMap((line) => {
      const [, region, count] = /^all (logins_per_region\/\S+) .*"count":(\d+)/.exec(line) ?? []
      return region === undefined ? [] : [[region, Number(count)] as const]
    }),
  )
  const overAll = [...regions.values()].reduce((sum, count) => sum + count, 0)
  expect(overAll, 'the last words of the leader are of every record').toBe(a)
  expect(last(demo, /^audit:/)).toContain('audit: ok')
}, 300_000)

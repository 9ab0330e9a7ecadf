import { expect, test } from 'vitest'
import { pipeline } from '../../pipelines/login-insights/pipeline.ts'
import { run } from '../../pipelines/testing.ts'
import { goldenTests, LOGIN, loginsFrom } from './golden.ts'

goldenTests(pipeline)

const HOUR = 3600
/** Logins of an hour of the day, one a locale. */
const at = (hour: number, locales: string, device_type = 'iOS') =>
  loginsFrom(locales, { timestamp: hour * HOUR, device_type })

const first = [...at(9, 'NY NY CA'), ...at(8, 'CA NY TX', 'android')]
const second = [...at(8, 'CA CA'), ...at(7, 'WA', 'web'), ...at(10, 'WA WA WA', 'android')]
const options = { each: 6 }

const ofFirst = [
  { metric: 'peak_hour', hour: 9, logins: 3 },
  { metric: 'logins_per_region', region: 'NY', count: 3 },
  { metric: 'logins_per_region', region: 'CA', count: 2 },
  { metric: 'logins_per_region', region: 'TX', count: 1 },
  { metric: 'device_usage', device_type: 'iOS', percentage: 50 },
  { metric: 'device_usage', device_type: 'android', percentage: 50 },
]

test('a batch: the peak hour since the start, regions and devices of the batch, the most frequent first', async () => {
  const { insights } = await run(pipeline, [...first, ...second], { options })
  expect(insights).toEqual([
    ...ofFirst,
    { metric: 'peak_hour', hour: 8, logins: 5 },
    { metric: 'logins_per_region', region: 'WA', count: 4 },
    { metric: 'logins_per_region', region: 'CA', count: 2 },
    { metric: 'device_usage', device_type: 'android', percentage: 50 },
    { metric: 'device_usage', device_type: 'iOS', percentage: 33.33 },
    { metric: 'device_usage', device_type: 'web', percentage: 16.67 },
  ])
})

test('as texts: the fields stand in the order the original has', async () => {
  const { insights } = await run(pipeline, [LOGIN], { options: { each: 1 } })
  expect(insights.map((message) => JSON.stringify(message))).toEqual([
    '{"metric":"peak_hour","hour":0,"logins":1}',
    '{"metric":"logins_per_region","region":"RU","count":1}',
    '{"metric":"device_usage","device_type":"android","percentage":100}',
  ])
})

test('50 done records are a batch, unless the option says otherwise; what was dropped or dead is none', async () => {
  const { ip: _, ...lacking } = LOGIN
  const values = Array.from({ length: 49 }, () => [LOGIN, lacking, { ...LOGIN, locale: 7 }, null]).flat()
  expect(await run(pipeline, values)).toMatchObject({ insights: [], rest: 49 })
  expect(await run(pipeline, [...values, LOGIN])).toMatchObject({ insights: { length: 3 }, rest: 0 })
  expect(await run(pipeline, values, { options: { each: 10 } })).toMatchObject({
    insights: { length: 12 },
    rest: 9,
  })
})

test.each([0, -1, 'many'])('a batch of %j records is refused by the name of its setting', async (each) => {
  const settings = { each } as { readonly each: number }
  await expect(run(pipeline, [], { options: settings })).rejects.toThrow(/MILLRACE_OPTION_EACH/)
})

test('a flush publishes what waits, and nothing where nothing waits', async () => {
  expect((await run(pipeline, first.slice(0, 4), { options, flush: true })).insights).toEqual([
    { metric: 'peak_hour', hour: 9, logins: 3 },
    { metric: 'logins_per_region', region: 'NY', count: 2 },
    { metric: 'logins_per_region', region: 'CA', count: 2 },
    { metric: 'device_usage', device_type: 'iOS', percentage: 75 },
    { metric: 'device_usage', device_type: 'android', percentage: 25 },
  ])
  expect((await run(pipeline, first, { options, flush: true })).insights).toEqual(ofFirst)
})

test('every 5 s the same of everything: each message replaces the one of its key', async () => {
  expect(pipeline.clusterInsights?.seconds).toBe(5)
  const { clusterInsights } = await run(pipeline, [...first, ...second], { options })
  expect(clusterInsights).toEqual([
    { key: 'peak_hour', value: { metric: 'peak_hour', hour: 8, logins: 5 } },
    ...[
      { region: 'CA', count: 4 },
      { region: 'WA', count: 4 },
      { region: 'NY', count: 3 },
      { region: 'TX', count: 1 },
    ].map((one) => ({
      key: `logins_per_region/${one.region}`,
      value: { metric: 'logins_per_region', ...one },
    })),
    ...[
      { device_type: 'android', percentage: 50 },
      { device_type: 'iOS', percentage: 41.67 },
      { device_type: 'web', percentage: 8.33 },
    ].map((one) => ({ key: `device_usage/${one.device_type}`, value: { metric: 'device_usage', ...one } })),
  ])
})

test('before the first login there is nothing to say', async () => {
  expect(await run(pipeline, [null], { flush: true })).toMatchObject({ insights: [], clusterInsights: [] })
})

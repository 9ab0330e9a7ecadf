import { expect, test } from 'vitest'
import { pipeline } from '../../pipelines/login-privacy/pipeline.ts'
import { run } from '../../pipelines/testing.ts'
import { goldenTests, LOGIN, loginsFrom } from './golden.ts'

goldenTests(pipeline)

test('the time of processing is rounded down before the latency is taken', async () => {
  const { outcomes } = await run(pipeline, [{ ...LOGIN, timestamp: 10 }], { now: 9_999 })
  expect(outcomes).toMatchObject([{ value: { processed_timestamp: 9, processing_latency: -1 } }])
})

test('neither the address nor the device can be read from the output', async () => {
  // Not the present: its digits may be those that are looked for.
  const { outcomes } = await run(pipeline, [LOGIN], { now: LOGIN.timestamp * 1000 })
  for (const hidden of ['111', '135', '593', '47-']) expect(JSON.stringify(outcomes)).not.toContain(hidden)
})

const values = [
  ...loginsFrom('CA NY CA', { device_type: 'iOS', app_version: '2.3.0' }),
  ...loginsFrom('TX', { device_type: 'android', app_version: '2.4.0' }),
  ...loginsFrom('TX TX', { ip: 'nowhere' }),
  '{"half":',
  null,
  Buffer.from([0xff]),
]

test('distributions and errors by class, of what was produced', async () => {
  const { aggregates } = await run(pipeline, values)
  expect(aggregates).toEqual({
    processed: 4,
    errors: { validation: 2, parsing: 3 },
    device_type: { iOS: 3, android: 1 },
    app_version: { '2.3.0': 3, '2.4.0': 1 },
    locale: { CA: 2, NY: 1, TX: 1 },
  })
})

test('every 5 s, over all slots: totals, errors, and the distributions', async () => {
  expect(pipeline.clusterInsights?.seconds).toBe(5)
  const { clusterInsights } = await run(pipeline, values)
  expect(clusterInsights).toEqual([
    { key: 'totals', value: { metric: 'totals', processed: 4, errors: 5 } },
    { key: 'errors', value: { metric: 'errors', counts: { parsing: 3, validation: 2 } } },
    {
      key: 'distribution/device_type',
      value: { metric: 'distribution', field: 'device_type', counts: { iOS: 3, android: 1 } },
    },
    {
      key: 'distribution/app_version',
      value: { metric: 'distribution', field: 'app_version', counts: { '2.3.0': 3, '2.4.0': 1 } },
    },
    {
      key: 'distribution/locale',
      value: { metric: 'distribution', field: 'locale', counts: { CA: 2, NY: 1, TX: 1 } },
    },
  ])
})

test('three attempts, after 2 and after 4 seconds, none by chance; an alert at 100 errors of a class', () => {
  expect(pipeline.retries).toEqual({ attempts: 3, delay: 2000, jitter: 0 })
  expect(pipeline.alertAt).toBe(100)
})

test('parsing and validation errors are dead at once, at any attempt', async () => {
  const { outcomes } = await run(pipeline, values.slice(4), { attempt: 2 })
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['dead', 'dead', 'dead', 'dead', 'dead'])
})

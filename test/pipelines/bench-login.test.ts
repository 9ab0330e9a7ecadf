import { expect, test } from 'vitest'
import { pipeline } from '../../pipelines/bench-login/pipeline.ts'
import { run, type TestValue } from '../../pipelines/testing.ts'

const NOW = Date.UTC(2023, 8, 12, 0, 46, 40)
const outcomeOf = async (value: TestValue) => (await run(pipeline, [value], { now: NOW })).outcomes[0]
const sample = {
  user_id: 'u',
  app_version: '2.3.0',
  device_type: 'iOS',
  ip: '10.20.30.40',
  locale: 'CA',
  device_id: '1234567890',
  timestamp: 1694479551,
}

test('a login, field by field and in order', async () => {
  const value = {
    ...sample,
    ip: '10.20.*.*',
    device_id: '******7890',
    login_time: '2023-09-12T00:45:51.000Z',
    processed_at: new Date(NOW).toISOString(),
    latency_ms: 49_000,
  }
  // As a text: the order of the fields counts.
  expect(JSON.stringify(await outcomeOf(sample))).toBe(JSON.stringify({ outcome: 'done', value }))
})

test('device_type is unknown where it is absent', async () => {
  const { device_type: _, ...rest } = sample
  expect(await outcomeOf(rest)).toMatchObject({ outcome: 'done', value: { device_type: 'unknown' } })
})

test.each([
  ['user_id', ''],
  ['app_version', 1],
  ['device_type', ''],
  ['ip', '::1'],
  ['ip', '1.2.3'],
  ['locale', null],
  ['device_id', []],
  ['timestamp', '1694479551'],
  ['timestamp', 0],
  ['timestamp', 1.5],
  ['timestamp', 253_402_300_800],
])('%s %j is dead', async (field, value) => {
  expect(await outcomeOf({ ...sample, [field]: value })).toMatchObject({ code: `schema:${field}` })
})

test('the last second of the calendar is written', async () => {
  expect(await outcomeOf({ ...sample, timestamp: 253_402_300_799 })).toMatchObject({
    value: { login_time: '9999-12-31T23:59:59.000Z' },
  })
})

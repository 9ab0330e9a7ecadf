import { expect, test } from 'vitest'
import { pipeline } from '../../pipelines/bench-login/pipeline.ts'
import { NOW, runner, writtenBy } from './run-values.ts'

const run = await runner(pipeline)
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
  expect(await run(sample)).toMatchObject({
    json: JSON.stringify({
      ...sample,
      ip: '10.20.*.*',
      device_id: '******7890',
      login_time: '2023-09-12T00:45:51.000Z',
      processed_at: new Date(NOW).toISOString(),
      latency_ms: 49_000,
    }),
  })
})

test('device_type is unknown where it is absent', async () => {
  const { device_type: _, ...rest } = sample
  expect(writtenBy(await run(rest))).toMatchObject({ device_type: 'unknown' })
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
  expect(await run({ ...sample, [field]: value })).toMatchObject({ code: `schema:${field}` })
})

test('the last second of the calendar is written', async () => {
  expect(writtenBy(await run({ ...sample, timestamp: 253_402_300_799 }))).toMatchObject({
    login_time: '9999-12-31T23:59:59.000Z',
  })
})

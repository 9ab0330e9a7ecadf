import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { run, type TestValue } from '../../pipelines/testing.ts'
import { pipeline } from '../../pipelines/user-login/pipeline.ts'

const NOW = Date.UTC(2023, 8, 12, 0, 46, 40)
const options = { token_key: 'a key of sixteen or more' }
const outcomeOf = async (value: TestValue) =>
  (await run(pipeline, [value], { now: NOW, options })).outcomes[0]
/** The value that would be written, or undefined. */
const written = async (value: TestValue) => {
  const outcome = await outcomeOf(value)
  return outcome?.outcome === 'done' ? outcome.value : undefined
}
const tokenOf = (id: string) => createHmac('sha256', options.token_key).update(id).digest('hex').slice(0, 16)

const sample = {
  user_id: '424cdd21-063a-43a7-b91b-7ca1a833afae',
  app_version: '2.3.0',
  device_type: 'android',
  ip: '199.172.111.135',
  locale: 'RU',
  device_id: '593-47-5928',
  timestamp: '1694479551',
}
const without = (field: string) =>
  Object.fromEntries(Object.entries(sample).filter(([name]) => name !== field))

test('the classic sample, field by field and in order', async () => {
  // As a text: the order of the fields counts.
  expect(JSON.stringify(await written(sample))).toBe(
    JSON.stringify({
      ...sample,
      ip: '199.172.*.*',
      device_id: '*******5928',
      login_time: '2023-09-12T00:45:51.000Z',
      region: 'other',
      device_token: tokenOf('593-47-5928'),
      processed_at: '2023-09-12T00:46:40.000Z',
      latency_ms: 49_000,
    }),
  )
})

test('device_type is unknown where it is absent, and only there', async () => {
  expect(await written(without('device_type'))).toMatchObject({ device_type: 'unknown' })
  for (const device_type of [null, '', 5, []])
    expect(await outcomeOf({ ...sample, device_type })).toMatchObject({ code: 'schema:device_type' })
})

describe.each(['user_id', 'app_version', 'locale', 'device_id'])('%s', (field) => {
  test.each([null, '', 7, ['a'], { a: 1 }, true, 'x'.repeat(257)])('%j is dead', async (value) => {
    expect(await outcomeOf({ ...sample, [field]: value })).toMatchObject({
      outcome: 'dead',
      code: `schema:${field}`,
    })
  })
  test('missing is dead', async () => {
    expect(await outcomeOf(without(field))).toMatchObject({ outcome: 'dead', code: `schema:${field}` })
  })
  test('of 1 and of 256 characters is fine', async () => {
    for (const value of ['x', 'x'.repeat(256), 'ü'.repeat(256)])
      expect(await outcomeOf({ ...sample, [field]: value })).toMatchObject({ outcome: 'done' })
  })
})

test.each([
  ['199.172.111.135', '199.172.*.*'],
  ['0.0.0.0', '0.0.*.*'],
  ['2001:db8:85a3::8a2e:370:7334', '2001:db8:*:*:*:*:*:*'],
  ['2001:0DB8:0:0:0:0:0:1', '2001:0DB8:*:*:*:*:*:*'],
  ['::1', '0:0:*:*:*:*:*:*'],
  ['fe80::', 'fe80:0:*:*:*:*:*:*'],
  ['::2:3:4:5:6:7:8', '0:2:*:*:*:*:*:*'],
  ['::ffff:1.2.3.4', '0:0:*:*:*:*:*:*'],
])('ip %s is shown as %s', async (ip, shown) => {
  expect(await written({ ...sample, ip })).toMatchObject({ ip: shown })
})

test.each([
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4 ',
  ':::',
  'fe80::1%eth0',
  'g::',
  '1.2.3.4/8',
  16909060,
  null,
])('ip %j is dead', async (ip) => {
  expect(await outcomeOf({ ...sample, ip })).toMatchObject({ code: 'schema:ip' })
})

const day = 86_400
const now = NOW / 1000
test.each([
  [1694479551, '2023-09-12T00:45:51.000Z'],
  ['1694479551', '2023-09-12T00:45:51.000Z'],
  [1694479551.25, '2023-09-12T00:45:51.250Z'],
  ['1694479551.5', '2023-09-12T00:45:51.500Z'],
  ['0001', '1970-01-01T00:00:01.000Z'],
  [1e-3, '1970-01-01T00:00:00.001Z'],
  [now + day, '2023-09-13T00:46:40.000Z'],
])('timestamp %j is %s, and stays as it came', async (timestamp, login_time) => {
  expect(await written({ ...sample, timestamp })).toMatchObject({ timestamp, login_time })
})

test.each([
  0,
  -1,
  '0',
  '-5',
  '+5',
  '',
  ' 5',
  '5 ',
  '1e9',
  '0x10',
  'NaN',
  'soon',
  null,
  [1],
  true,
  now + day + 1,
  1e300,
  '9'.repeat(400),
])('timestamp %j is dead', async (timestamp) => {
  expect(await outcomeOf({ ...sample, timestamp })).toMatchObject({
    outcome: 'dead',
    code: 'schema:timestamp',
  })
})
test('a timestamp too large for JSON numbers is dead', async () => {
  expect(await outcomeOf(JSON.stringify(sample).replace('"1694479551"', '1e999'))).toMatchObject({
    code: 'schema:timestamp',
  })
})

test('the first failing field, in the schema’s order, names the code', async () => {
  expect(await outcomeOf({})).toMatchObject({ code: 'schema:user_id' })
  expect(await outcomeOf({ ...sample, timestamp: 0, ip: 'x' })).toMatchObject({ code: 'schema:ip' })
})

test.each([
  ['CA', 'West'],
  ['NY', 'Northeast'],
  ['OH', 'Midwest'],
  ['TX', 'South'],
  ['DC', 'South'],
  ['PR', 'other'],
  ['ca', 'other'],
  ['__proto__', 'other'],
])('locale %s lies in region %s', async (locale, region) => {
  expect(await written({ ...sample, locale })).toMatchObject({ locale, region })
})

test('other fields pass through, __proto__ as plain data', async () => {
  const text = JSON.stringify({ ...sample, extra: { deep: [1, null] } }).replace(
    '{',
    '{"__proto__":{"admin":true},',
  )
  const value = await written(text)
  expect(JSON.stringify(value)).toContain('"__proto__":{"admin":true}')
  expect(value).toMatchObject({ extra: { deep: [1, null] } })
  expect(value).not.toHaveProperty('admin')
})

test('a login of the near future has a negative latency', async () => {
  expect(await written({ ...sample, timestamp: now + 10 })).toMatchObject({ latency_ms: -10_000 })
})

test('no error text repeats what was in the record', async () => {
  const secret = 'very-secret'
  for (const field of Object.keys(sample)) {
    const result = await outcomeOf({ ...sample, [field]: [secret] })
    expect(JSON.stringify(result)).not.toContain(secret)
  }
})

test('aggregates: per hour of event time, over what was written', async () => {
  const values = [
    sample,
    { ...sample, locale: 'CA', user_id: 'another' },
    { ...sample, timestamp: now - 7200, device_type: 'iOS' },
    { ...sample, ip: 'dead' },
  ]
  const [at22, at00] = ['2023-09-11T22:00:00.000Z', '2023-09-12T00:00:00.000Z']
  expect((await run(pipeline, values, { now: NOW, options })).aggregates).toEqual({
    logins: { [at22]: 1, [at00]: 2 },
    logins_by_device_type: { [at22]: { iOS: 1 }, [at00]: { android: 2 } },
    logins_by_locale: { [at22]: { RU: 1 }, [at00]: { RU: 1, CA: 1 } },
    logins_by_app_version: { [at22]: { '2.3.0': 1 }, [at00]: { '2.3.0': 2 } },
    logins_by_region: { [at22]: { other: 1 }, [at00]: { other: 1, West: 1 } },
    distinct_users: { [at22]: 1, [at00]: 2 },
  })
})

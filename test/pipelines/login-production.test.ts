import { expect, test } from 'vitest'
import { pipeline } from '../../pipelines/login-production/pipeline.ts'
import { run } from '../../pipelines/testing.ts'
import { goldenTests, LOGIN, loginsFrom } from './golden.ts'

goldenTests(pipeline)

test('the counter of devices, the top 2 devices and the top 3 locales, of what was produced', async () => {
  const { aggregates } = await run(pipeline, [
    ...loginsFrom('NY CA CA TX', { device_type: 'iOS' }),
    ...loginsFrom('TX WA NY', { device_type: 'android' }),
    ...loginsFrom('OH', { device_type: 'web' }),
    ...loginsFrom('OH OH OH', { device_type: 'web', timestamp: '1' }),
    null,
  ])
  expect(aggregates).toEqual({
    device_types: { iOS: 4, android: 3, web: 1 },
    top_device_types: { iOS: 4, android: 3 },
    top_locales: { NY: 2, CA: 2, TX: 2 },
  })
})

test('of equals those seen first are the top', async () => {
  const { aggregates } = await run(pipeline, loginsFrom('D C B A B'))
  expect(Object.entries(aggregates.top_locales ?? {})).toEqual([
    ['B', 2],
    ['D', 1],
    ['C', 1],
  ])
})

const repaired = (value: object) => pipeline.repair?.({ ...value }, 'schema:any')
const { timestamp: _, ip: __, ...lacking } = LOGIN

test('what is missing is mended: texts are empty, the timestamp is 0, at the end and in the order of the schema', () => {
  expect(JSON.stringify(repaired(lacking))).toBe(JSON.stringify({ ...lacking, ip: '', timestamp: 0 }))
  expect(repaired({})).toEqual({
    user_id: '',
    app_version: '',
    device_type: '',
    ip: '',
    locale: '',
    device_id: '',
    timestamp: 0,
  })
})

test('what was mended passes', async () => {
  const { outcomes } = await run(pipeline, [repaired(lacking) ?? null])
  expect(outcomes).toMatchObject([{ outcome: 'done', value: { ip: '', timestamp: '1970-01-01 00:00:00' } }])
})

test.each([
  ['nothing is missing, and all of it fits', LOGIN],
  ['nothing is missing, and a field does not fit', { ...LOGIN, timestamp: 1e300 }],
  ['a field is null', { ...LOGIN, ip: null }],
  ['another field does not fit', { ...lacking, locale: 7 }],
  ['the timestamp is a text', { user_id: 'u', timestamp: '1694479551' }],
  ['the timestamp is beyond the calendar', { user_id: 'u', timestamp: 253_402_300_800 }],
])('what cannot be mended is left to people: %s', (_why, value) => {
  expect(repaired(value)).toBeUndefined()
})

test('mending leaves the letter as it is', () => {
  const value = { ...lacking }
  pipeline.repair?.(value, 'schema:ip')
  expect(value).toEqual(lacking)
})

import { expect, test } from 'vitest'
import { pipeline } from '../../pipelines/login-defaults/pipeline.ts'
import { run } from '../../pipelines/testing.ts'
import { goldenTests, LOGIN, loginsFrom } from './golden.ts'

goldenTests(pipeline)

test('processed_timestamp is the time of processing in whole seconds, rounded down', async () => {
  for (const [now, seconds] of [
    [999, 0],
    [1000, 1],
    [1_694_479_600_999, 1_694_479_600],
  ]) {
    const { outcomes } = await run(pipeline, [LOGIN], now === undefined ? {} : { now })
    expect(outcomes).toMatchObject([{ value: { processed_timestamp: seconds } }])
  }
})

const hundred = [
  ...loginsFrom('NY '.repeat(40).trim(), { device_type: 'iOS' }),
  ...loginsFrom('CA '.repeat(29).trim(), { device_type: 'android' }),
  ...loginsFrom('TX '.repeat(20).trim(), { device_type: null }),
  ...loginsFrom('WA '.repeat(11).trim(), { device_type: 'web' }),
]

test('every 100 processed: the total, the top 3 device types and the top 3 locales, since the start', async () => {
  const dead = Array.from({ length: 30 }, () => ({ ...LOGIN, locale: [] }))
  const more = loginsFrom('WA '.repeat(130).trim(), { device_type: 'web' })
  const { insights, rest } = await run(pipeline, [...dead, ...hundred, ...dead, ...more])
  expect(insights).toEqual([
    {
      metric: 'totals',
      processed: 100,
      top_device_types: [
        ['iOS', 40],
        ['android', 29],
        ['null', 20],
      ],
      top_locales: [
        ['NY', 40],
        ['CA', 29],
        ['TX', 20],
      ],
    },
    {
      metric: 'totals',
      processed: 200,
      top_device_types: [
        ['web', 111],
        ['iOS', 40],
        ['android', 29],
      ],
      top_locales: [
        ['WA', 111],
        ['NY', 40],
        ['CA', 29],
      ],
    },
  ])
  expect(rest).toBe(30)
})

test('99 are not enough; a flush says what there is', async () => {
  const most = hundred.slice(0, 99)
  expect(await run(pipeline, most)).toMatchObject({ insights: [], rest: 99 })
  expect((await run(pipeline, most, { flush: true })).insights).toMatchObject([{ processed: 99 }])
})

test('of equals those seen first are the top', async () => {
  const { insights } = await run(pipeline, loginsFrom('D C B A'), { flush: true })
  expect(insights).toMatchObject([
    {
      top_locales: [
        ['D', 1],
        ['C', 1],
        ['B', 1],
      ],
    },
  ])
})

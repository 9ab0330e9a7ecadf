import fc from 'fast-check'
import { expect, test } from 'vitest'
import { epochMs, isoTime } from '../../../pipelines/steps/time.ts'

test('isoTime is toISOString, for every ms of the calendar', () => {
  fc.assert(
    fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (ms) => {
      expect(isoTime(ms)).toBe(new Date(ms).toISOString())
    }),
  )
  fc.assert(
    fc.property(fc.integer({ min: 1.6e12, max: 1.8e12 }), fc.boolean(), (ms, whole) => {
      const time = whole ? ms - (ms % 1000) : ms
      expect(isoTime(time)).toBe(new Date(time).toISOString())
    }),
  )
})

test('isoTime stays right when more minutes were seen than it keeps', () => {
  for (let minute = 0; minute < 25_000; minute++) isoTime(minute * 60_000)
  expect(isoTime(90_061_001)).toBe('1970-01-02T01:01:01.001Z')
})

test('a time outside the calendar throws', () => {
  expect(() => isoTime(8.65e15)).toThrow(RangeError)
})

test('seconds are numbers or decimal texts, to the ms', () => {
  expect(epochMs(1694479551.2504)).toBe(1694479551250)
  expect(epochMs('1694479551.2504')).toBe(1694479551250)
  for (const text of ['', '-1', '1.', '.5', '1e3', '１', 'x']) expect(epochMs(text)).toBeNaN()
})

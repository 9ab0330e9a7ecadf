import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  dayAndTime,
  FIRST_SECOND,
  hourOfDay,
  inCalendar,
  wholeSecond,
} from '../../../pipelines/steps/calendar.ts'
import { LAST_SECOND } from '../../../pipelines/steps/time.ts'

const seconds = fc.integer({ min: FIRST_SECOND, max: LAST_SECOND })

test('whole seconds are shown as they are, from the year 1 to the year 9999', () => {
  fc.assert(
    fc.property(seconds, (second) => {
      const text = dayAndTime(second)
      expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
      expect(Date.parse(`${text}Z`)).toBe(second * 1000)
      expect(hourOfDay(second)).toBe(Number(text.slice(11, 13)))
    }),
  )
  expect(dayAndTime(FIRST_SECOND)).toBe('0001-01-01T00:00:00')
  expect(dayAndTime(LAST_SECOND)).toBe('9999-12-31T23:59:59')
})

/** As Python 3.12 gives them: datetime.fromtimestamp(t, tz=timezone.utc). */
test.each([
  [1694479551.9999993, 1694479551],
  [1694479551.9999998, 1694479552],
  [0.9999994, 0],
  [0.9999995, 1],
  [-0.0000005, 0],
  [-0.0000006, -1],
  [-0.9999994, -1],
  [-0.9999996, -1],
  [-1.0000004, -1],
  [-1.5, -2],
])('%d s is the second %d: rounded to microseconds, then cut', (time, second) => {
  expect(wholeSecond(time) + 0).toBe(second)
})

test('the calendar ends with its last fraction', () => {
  expect(inCalendar(FIRST_SECOND)).toBe(true)
  expect(inCalendar(FIRST_SECOND - 0.0001)).toBe(false)
  expect(inCalendar(LAST_SECOND + 0.9999)).toBe(true)
  expect(wholeSecond(LAST_SECOND + 0.9999)).toBe(LAST_SECOND)
  expect(inCalendar(LAST_SECOND + 1)).toBe(false)
  expect(inCalendar(Number.NaN)).toBe(false)
})

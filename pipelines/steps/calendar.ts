/**
 * Epoch seconds as Python's datetime shows them in UTC: the years 1 to 9999, a fraction rounded to microseconds (half to
 * even) and then cut off.
 */
import Type from 'typebox'
import { isoTime, LAST_SECOND } from './time.ts'

/** The beginning of the year 1. */
export const FIRST_SECOND = -62_135_596_800

export const inCalendar = (seconds: number): boolean => seconds >= FIRST_SECOND && seconds < LAST_SECOND + 1

export const calendarSeconds = Type.Number({
  minimum: FIRST_SECOND,
  exclusiveMaximum: LAST_SECOND + 1,
  description: 'epoch seconds of the years 1 to 9999, a number',
})

const MICROSECONDS = 1_000_000

/** The only rounding that can be seen is the one into the next or the previous second. */
export const wholeSecond = (seconds: number): number => {
  const whole = Math.trunc(seconds)
  const micros = (seconds - whole) * MICROSECONDS
  if (micros >= MICROSECONDS - 0.5) return whole + 1
  return micros < -0.5 ? whole - 1 : whole
}

/** `YYYY-MM-DDTHH:MM:SS`, years padded to four. @throws RangeError far outside the calendar */
export const dayAndTime = (seconds: number): string => isoTime(wholeSecond(seconds) * 1000).slice(0, 19)

const HOUR = 3600
const HOURS = 24

/** 0 to 23, UTC. */
export const hourOfDay = (seconds: number): number =>
  ((Math.floor(wholeSecond(seconds) / HOUR) % HOURS) + HOURS) % HOURS

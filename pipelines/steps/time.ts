/** Times of the shipped pipelines: epoch seconds in, ISO 8601 in UTC with milliseconds out. */
/** Last second of the year 9999: beyond it ISO 8601 needs a sign. */
export const LAST_SECOND = 253_402_300_799

const DECIMAL = /^\d+(?:\.\d+)?$/

/** Epoch ms of epoch seconds that are a number or a decimal text; NaN for anything else. */
export const epochMs = (seconds: number | string): number => {
  if (typeof seconds === 'number') return Math.round(seconds * 1000)
  return DECIMAL.test(seconds) ? Math.round(Number(seconds) * 1000) : Number.NaN
}

/** `YYYY-MM-DDTHH:MM:` by minute: toISOString costs 400 ns, and most records are of few minutes. */
const minutes = new Map<number, string>()
const MINUTES_KEPT = 10_000
const MINUTE = 60_000

const minuteOf = (minute: number): string => {
  const known = minutes.get(minute)
  if (known !== undefined) return known
  if (minutes.size >= MINUTES_KEPT) minutes.clear()
  const text = new Date(minute * MINUTE).toISOString().slice(0, -7)
  minutes.set(minute, text)
  return text
}

const wholeSeconds = Array.from({ length: 60 }, (_, second) => `${String(second).padStart(2, '0')}.000Z`)

/** A batch is processed at one time, and its events share their seconds: most texts were made a moment ago. */
const RECENT = 1024
const recentTimes = new Float64Array(RECENT).fill(Number.NaN)
const recentTexts = new Array<string>(RECENT).fill('')

/** Law: equals `new Date(ms).toISOString()` for whole ms. @throws RangeError outside the calendar. */
export const isoTime = (ms: number): string => {
  const at = Math.floor(ms / 1000) & (RECENT - 1)
  if (recentTimes[at] !== ms) {
    recentTexts[at] = composed(ms)
    recentTimes[at] = ms
  }
  return recentTexts[at] ?? ''
}

const composed = (ms: number): string => {
  const minute = Math.floor(ms / MINUTE)
  const rest = ms - minute * MINUTE
  const second = wholeSeconds[rest / 1000]
  return (
    minuteOf(minute) + (second ?? `${String(rest + 100_000).slice(1, 3)}.${String(rest + 100_000).slice(3)}Z`)
  )
}

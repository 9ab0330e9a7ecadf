import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dueNow, waitFor } from '../../cli/pace.ts'

const pace = (rate: number, count = Number.POSITIVE_INFINITY, most = 2000) => ({ rate, count, most })

test('the first record is due at once, the next ones as time passes', () => {
  expect(dueNow(pace(2), 0, 0)).toBe(1)
  expect(dueNow(pace(2), 1, 499)).toBe(0)
  expect(dueNow(pace(2), 1, 500)).toBe(1)
  expect(waitFor(pace(2), 1, 0)).toBe(500)
})

test('without a limit every batch is full, the last one takes what is left', () => {
  expect(dueNow(pace(0, 5000), 0, 0)).toBe(2000)
  expect(dueNow(pace(0, 5000), 4000, 0)).toBe(1000)
})

test('however time passes, the rate is kept and the count is never exceeded', () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 0, max: 20_000 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 50, maxLength: 200 }),
      (rate, count, steps) => {
        let [sent, elapsed] = [0, 0]
        for (const step of steps) {
          elapsed += step
          sent += dueNow(pace(rate, count), sent, elapsed)
          expect(sent).toBe(Math.min(count, Math.floor((elapsed / 1000) * rate) + 1))
        }
      },
    ),
  ))

test('after a stall it catches up in bounded batches', () => {
  expect(dueNow(pace(1000, undefined, 500), 0, 60_000)).toBe(500)
})

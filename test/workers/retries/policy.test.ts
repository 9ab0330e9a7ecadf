import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readSettings } from '../../../cluster/settings.ts'
import { policyOf, waitAfter } from '../../../workers/retries/policy.ts'

const HOUR = 3_600_000
const policy = fc.record({
  attempts: fc.integer({ min: 1, max: 100 }),
  delay: fc.nat(60_000),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
})
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

test('a wait doubles from run to run, up to an hour, and chance moves it by its share at most', () => {
  fc.assert(
    fc.property(policy, fc.integer({ min: 1, max: 100 }), chance, (rules, attempt, random) => {
      const step = Math.min(HOUR, rules.delay * 2 ** (attempt - 1))
      const wait = waitAfter(rules, attempt, random)
      expect(wait).toBeGreaterThanOrEqual(Math.floor(step * (1 - rules.jitter)))
      expect(wait).toBeLessThanOrEqual(Math.ceil(step * (1 + rules.jitter)))
    }),
  )
})

test('without chance the waits are 1, 2, 4, 8 s', () => {
  const rules = { attempts: 5, delay: 1000, jitter: 0 }
  expect([1, 2, 3, 4].map((attempt) => waitAfter(rules, attempt, 0.99))).toEqual([1000, 2000, 4000, 8000])
})

test('the pipeline says it, else the settings', () => {
  const settings = readSettings({ MILLRACE_RETRY_ATTEMPTS: '7', MILLRACE_RETRY_DELAY: '3s' })
  expect(policyOf({}, settings)).toEqual({ attempts: 7, delay: 3000, jitter: 0.2 })
  expect(policyOf({ retries: { attempts: 3, delay: 2000, jitter: 0 } }, settings)).toEqual({
    attempts: 3,
    delay: 2000,
    jitter: 0,
  })
  expect(policyOf({ retries: { attempts: 0, delay: -1, jitter: 7 } }, settings)).toEqual({
    attempts: 1,
    delay: 0,
    jitter: 1,
  })
})

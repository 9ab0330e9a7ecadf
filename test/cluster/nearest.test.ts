import fc from 'fast-check'
import { expect, test } from 'vitest'
import { distance, nearest } from '../../cluster/nearest.ts'

test('a slip of the pen finds the name that was meant', () => {
  expect(nearest('genrate', ['generate', 'settings', 'tail'])).toBe('generate')
  expect(nearest('x', [])).toBe('')
})

test('the distance is a metric', () => {
  const word = fc.string({ maxLength: 8 })
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(distance(a, b)).toBe(distance(b, a))
      expect(distance(a, b) === 0).toBe(a === b)
      expect(distance(a, c)).toBeLessThanOrEqual(distance(a, b) + distance(b, c))
    }),
  )
})

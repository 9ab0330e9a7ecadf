import { expect, test } from 'vitest'
import { percentage } from '../../../pipelines/steps/percentage.ts'

test.each([
  [1, 3, 33.33],
  [2, 3, 66.67],
  [1, 50, 2],
  [7, 50, 14],
  [50, 50, 100],
  [0, 50, 0],
  [1, 100_000, 0],
])('%d of %d are %d percent', (part, whole, expected) => {
  expect(percentage(part, whole)).toBe(expected)
})

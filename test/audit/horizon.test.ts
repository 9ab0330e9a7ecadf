import { expect, test } from 'vitest'
import { Horizon } from '../../audit/horizon.ts'

const kept = { partitions: [0], next: 100 }

test('a log that begins at its beginning limits nothing', () => {
  const horizon = new Horizon(new Map([[0, 0]]))
  expect(horizon.moved).toBe(false)
  expect(horizon.provableFrom(0, { ...kept, seen: 0, counted: 100 })).toBe(0)
})

test('a moved log proves what comes from its first fate on', () => {
  const horizon = new Horizon(new Map([[0, 7]]))
  horizon.saw(0, 0, 40)
  horizon.saw(0, 0, 41)
  horizon.saw(0, 3, 5)
  expect(horizon.provableFrom(0, { ...kept, seen: 60, counted: 100 })).toBe(40)
  expect(horizon.provableFrom(3, { ...kept, seen: 1, counted: 2 })).toBe(5)
})

test('a moved log without a fate of the partition proves nothing, unless none was counted', () => {
  const horizon = new Horizon(new Map([[0, 7]]))
  expect(horizon.provableFrom(0, { ...kept, seen: 0, counted: 1 })).toBe(100)
  expect(horizon.provableFrom(0, { ...kept, seen: 0, counted: 0 })).toBe(0)
})

test('a moved log that still holds every counted fate limits nothing', () => {
  const horizon = new Horizon(new Map([[0, 7]]))
  horizon.saw(0, 0, 40)
  expect(horizon.provableFrom(0, { ...kept, seen: 5, counted: 5 })).toBe(0)
})

test('of several partitions the one that reaches back least decides', () => {
  const horizon = new Horizon(
    new Map([
      [0, 7],
      [1, 0],
      [2, 9],
    ]),
  )
  horizon.saw(0, 0, 40)
  horizon.saw(2, 0, 60)
  expect(horizon.provableFrom(0, { partitions: [0, 1, 2], next: 100, seen: 1, counted: 9 })).toBe(60)
})

import { describe, expect, test } from 'vitest'
import { busySlots, compareViews, type Views } from '../../audit/views.ts'
import type { WindowMismatch } from '../../audit/window-table.ts'
import type { Position } from '../../cluster/protocol/state.ts'

const nothing: Views = { heads: new Map(), tables: new Map() }
const differs = (slot: number): WindowMismatch => ({
  where: 'redis',
  aggregate: 'a',
  slot,
  window: 'total',
  expected: 1,
  found: 2,
})

/** What each look at Redis finds; the last one for ever. */
const look = async (looks: readonly (readonly number[])[], busy: readonly number[], wait: number) => {
  let read = 0
  const verdict = await compareViews({
    wait,
    signal: undefined,
    read: async () => {
      read++
      return nothing
    },
    busy: async () => new Set(busy),
    compare: () => (looks[Math.min(read, looks.length) - 1] ?? []).map(differs),
  })
  return { ...verdict, read }
}

describe('Redis, which follows the commit', () => {
  test('is looked at again until it has caught up', async () => {
    expect(await look([[1, 2], [2], []], [], 60_000)).toEqual({ mismatches: [], busy: [], read: 3 })
  })

  test('differs for good where it never does', async () => {
    const { mismatches, read } = await look([[1]], [], 250)
    expect(mismatches).toEqual([differs(1)])
    expect(read).toBeGreaterThan(1)
  })

  test('is not compared for slots that run on', async () => {
    expect(await look([[1, 2]], [1, 2, 3], 60_000)).toEqual({ mismatches: [], busy: [1, 2], read: 1 })
    expect(await look([[1, 2]], [2], 0)).toEqual({ mismatches: [differs(1)], busy: [2], read: 1 })
  })
})

test('a slot is busy where a partition of it counted something, not where it passed a marker', () => {
  const counters = { done: 5, dead: 0, dropped: 0, late: 0, parked: 0 }
  const position: Position = {
    ...{ next: 5, first: 0, topicId: 't', leaderEpoch: 0, retried: 0, counters, watermark: 9 },
  }
  const before = new Map([0, 1, 2, 3].map((partition) => [partition, position]))
  const after = new Map(before)
    .set(1, { ...position, next: 6 })
    .set(2, { ...position, counters: { ...counters, done: 6 } })
    .set(5, position)
  expect(busySlots(before, before, 4)).toEqual(new Set())
  expect(busySlots(before, after, 4)).toEqual(new Set([2, 1]))
})

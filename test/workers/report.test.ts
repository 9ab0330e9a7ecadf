import { describe, expect, test } from 'vitest'
import { EMPTY, firstPosition } from '../../workers/ledger.ts'
import { slotReport, viewWatermark } from '../../workers/report.ts'

const counters = { done: 1, dead: 2, dropped: 3, late: 4, parked: 5 }
const reported = {
  slot: 2,
  epoch: 7,
  state: 'running' as const,
  reason: '',
  rates: { recordsPerSecond: 10, cpuMsPerSecond: 20 },
  unread: new Set<number>(),
  committedAt: 99,
  positions: new Map([
    [2, { ...firstPosition(0, 'id'), next: 10, counters }],
    [6, { ...firstPosition(0, 'id'), next: 5, counters }],
  ]),
}

test('lag is what a reader could see beyond the position; counters are those of all partitions', () => {
  expect(
    slotReport({
      ...reported,
      ends: new Map([
        [2, 25],
        [6, 5],
      ]),
    }),
  ).toEqual({
    slot: 2,
    epoch: 7,
    state: 'running',
    reason: '',
    recordsPerSecond: 10,
    cpuMsPerSecond: 20,
    committedAt: 99,
    partitions: [
      { partition: 2, next: 10, lag: 15 },
      { partition: 6, next: 5, lag: 0 },
    ],
    counters: { done: 2, dead: 4, dropped: 6, late: 8, parked: 10 },
  })
})

test('an end that is unknown or behind the position is no lag', () => {
  const { partitions } = slotReport({ ...reported, ends: new Map([[2, 3]]) })
  expect(partitions.map(({ lag }) => lag)).toEqual([0, 0])
})

test('a slot whose partitions are all paused says so, and which they are', () => {
  const some = slotReport({ ...reported, ends: new Map(), unread: new Set([2]) })
  expect(some.reason).toBe('')
  expect(some.partitions.map(({ paused }) => paused)).toEqual([true, undefined])
  const all = { ...reported, ends: new Map(), unread: new Set([2, 6]) }
  expect(slotReport(all).reason).toBe('paused by order')
  expect(slotReport({ ...all, state: 'halted', reason: 'state-lost' }).reason).toBe('state-lost')
})

describe('the watermark that views show', () => {
  const NOW = 10_000_000
  const position = { ...firstPosition(0, 'id'), next: 10 }
  const state = { ...EMPTY, positions: new Map([[0, position]]), watermark: 1000 }

  test('is the slot’s own while it works, or while it lags', () => {
    expect(viewWatermark({ state, ends: new Map(), quietSince: NOW - 59_000 }, NOW)).toBe(1000)
    expect(viewWatermark({ state, ends: new Map([[0, 11]]), quietSince: 0 }, NOW)).toBe(1000)
  })

  test('follows the wall clock where all was read for a minute, and never falls', () => {
    expect(viewWatermark({ state, ends: new Map([[0, 10]]), quietSince: NOW - 61_000 }, NOW)).toBe(
      NOW - 60_000,
    )
    const ahead = { ...state, watermark: NOW }
    expect(viewWatermark({ state: ahead, ends: new Map(), quietSince: 0 }, NOW)).toBe(NOW)
  })
})

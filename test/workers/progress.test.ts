import { describe, expect, test } from 'vitest'
import { firstPosition } from '../../workers/ledger.ts'
import { Progress, type SlotProgress } from '../../workers/progress.ts'

const RULES = { stallTimeout: 90_000, taskTimeout: 30_000 }

const slotOf = (over: Partial<SlotProgress> = {}): SlotProgress => ({
  slot: 0,
  state: 'running',
  steps: 1,
  positions: new Map([[0, { ...firstPosition(0, 'id'), next: 10 }]]),
  ends: new Map([[0, 20]]),
  unread: new Set(),
  isCapped: false,
  inPool: false,
  ...over,
})

/** Looks every five seconds for so long, at a slot that never moves. @returns ms after which it counts as stalled */
const stalledAfter = (
  over: Partial<SlotProgress> = {},
  seconds = 600,
  isExcused = false,
): number | undefined => {
  const progress = new Progress(RULES)
  for (let now = 0; now <= seconds * 1000; now += 5000) {
    progress.look([slotOf(over)], now, isExcused)
    if (progress.stalled(now).includes(0)) return now
  }
  return undefined
}

describe('a slot that does not move', () => {
  test('while it has work to do is found after the stall timeout', () => {
    expect(stalledAfter()).toBe(90_000)
  })
  test('in its takeover or its release as well', () => {
    expect(stalledAfter({ state: 'claiming', positions: new Map() })).toBe(90_000)
    expect(stalledAfter({ state: 'releasing' })).toBe(90_000)
  })
  test('with a task in the pool has the time that tasks may take', () => {
    expect(stalledAfter({ inPool: true })).toBe(90_000 + 4 * 30_000)
  })
  test.each([
    ['has read everything', { ends: new Map([[0, 10]]) }],
    ['waits for an open transaction upstream', { ends: new Map() }],
    ['is paused by order', { unread: new Set([0]) }],
    ['has too many parked', { isCapped: true }],
    ['has halted by name', { state: 'halted' }],
    ['is fenced', { state: 'fenced' }],
  ] as const)('is left alone where it %s', (_, over) => {
    expect(stalledAfter(over)).toBeUndefined()
  })
  test('is left alone where Kafka is away', () => {
    expect(stalledAfter({}, 600, true)).toBeUndefined()
  })
})

describe('a slot that moves', () => {
  test('is never found, however slowly; the time begins anew with each step', () => {
    const progress = new Progress(RULES)
    for (let now = 0; now <= 1_200_000; now += 5000) {
      progress.look([slotOf({ steps: Math.floor(now / 85_000) })], now, false)
      expect(progress.stalled(now)).toEqual([])
    }
  })
  test('others stand still beside it: only they are named', () => {
    const progress = new Progress(RULES)
    for (let now = 0; now <= 90_000; now += 5000)
      progress.look([slotOf(), slotOf({ slot: 1, steps: now })], now, false)
    expect(progress.stalled(90_000)).toEqual([0])
    expect([...progress.still(90_000).keys()]).toEqual([0])
  })
  test('one that was started again gets its time anew', () => {
    const progress = new Progress(RULES)
    progress.look([slotOf()], 0, false)
    progress.look([slotOf()], 90_000, false)
    expect(progress.stalled(90_000)).toEqual([0])
    progress.forgive(0)
    progress.look([slotOf({ steps: 0 })], 95_000, false)
    expect(progress.stalled(180_000)).toEqual([])
  })
})

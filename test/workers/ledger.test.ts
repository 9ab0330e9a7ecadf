import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stateKey } from '../../cluster/protocol/state.ts'
import { type Aggregates, decode, hourly, total, tumbling } from '../../pipelines/api/aggregates.ts'
import { Folder } from '../../pipelines/api/folder.ts'
import {
  advance,
  type Finished,
  firstPosition,
  isOutdated,
  type LedgerState,
  restore,
  type StateRecord,
} from '../../workers/ledger.ts'
import { folded, result } from './support/results.ts'

const aggregates: Aggregates = {
  short: tumbling(10, 20).countBy('f'),
  mean: tumbling(25, 100).sum('n'),
  people: tumbling(10, 20).distinct('f'),
  all: total.count(),
}
const PARTITIONS = 3

const birth: readonly StateRecord[] = [
  { key: stateKey.claim, value: { epoch: 1, worker: 'w', claimId: 'c' } },
  ...Array.from({ length: PARTITIONS }, (_, p) => ({
    key: stateKey.position(p),
    value: firstPosition(p * 7, 'id'),
  })),
]
const born = (): LedgerState => restore(aggregates, birth)
/** As the state topic keeps them. */
const stored = ({ key, value }: StateRecord): StateRecord => ({
  key,
  value: value === null ? null : JSON.parse(JSON.stringify(value)),
})

/** vitest compares a sketch of 4,096 bytes too slowly to be asked a thousand times. */
const expectSame = (found: LedgerState, wanted: LedgerState) => {
  if (!isDeepStrictEqual(found, wanted)) expect(found).toEqual(wanted)
}

interface Step {
  readonly partition: number
  readonly events: readonly { readonly at: number; readonly f: string; readonly n: number }[]
  readonly gap: number
  readonly visible: boolean
}
const step: fc.Arbitrary<Step> = fc.record({
  partition: fc.nat(PARTITIONS - 1),
  events: fc.array(
    fc.record({ at: fc.nat(200), f: fc.constantFrom('a', 'b', '__proto__'), n: fc.double() }),
    {
      maxLength: 5,
    },
  ),
  gap: fc.nat(3),
  visible: fc.boolean(),
})
/** Transactions of batches, each with the wall clock at its commit. */
const history = fc.array(
  fc.record({ wall: fc.nat(200), steps: fc.array(step, { minLength: 1, maxLength: 4 }) }),
  {
    maxLength: 12,
  },
)

/** What the pool would hand back under the state's watermark. */
const finishedOf = (state: LedgerState, steps: readonly Step[]): Finished[] => {
  const at = new Map([...state.positions].map(([partition, { next }]) => [partition, next]))
  return steps.map(({ partition, events, gap, visible }) => {
    const from = at.get(partition) ?? 0
    const next = from + events.length + gap + 1
    at.set(partition, next)
    const folder = new Folder(aggregates, { watermark: state.watermark, now: 200 })
    for (const { at: time, ...value } of events) folder.add(value, time)
    const done = visible ? result({ done: events.length, dropped: gap, folded: folder.take() }) : undefined
    return { partition, from, next, leaderEpoch: gap, result: done }
  })
}

describe('the ledger', () => {
  test('a state equals the fold of its own records, whatever was committed', () => {
    fc.assert(
      fc.property(history, (commits) => {
        let state = born()
        const topic = [...birth].map(stored)
        for (const { wall, steps } of commits) {
          const before = structuredClone(state)
          const next = advance(state, aggregates, finishedOf(state, steps), wall)
          expectSame(state, before)
          expect(next.state.watermark).toBeGreaterThanOrEqual(state.watermark)
          topic.push(...next.records.map(stored))
          state = next.state
          expectSame(restore(aggregates, topic), state)
        }
        // Compaction keeps the newest record of a key only.
        const compacted = new Map<string, StateRecord>()
        for (const one of topic) compacted.set(one.key, one)
        expectSame(restore(aggregates, compacted.values()), state)
      }),
    )
  })

  test('positions move to the end of their batches and count what became of them, once', () => {
    fc.assert(
      fc.property(history, (commits) => {
        let state = born()
        let records = 0
        for (const { wall, steps } of commits) {
          const batches = finishedOf(state, steps)
          state = advance(state, aggregates, batches, wall).state
          for (const batch of batches)
            expect(state.positions.get(batch.partition)?.next).toBeGreaterThanOrEqual(batch.next)
          records += batches.reduce(
            (sum, one) => sum + (one.result ? one.result.done + one.result.dropped : 0),
            0,
          )
        }
        const counted = [...state.positions.values()].map(({ counters }) => counters.done + counters.dropped)
        expect(counted.reduce((a, b) => a + b, 0)).toBe(records)
      }),
    )
  })

  test('only what changed is written: one record a position and window', () => {
    const { records } = advance(
      born(),
      aggregates,
      [
        {
          partition: 0,
          from: 0,
          next: 2,
          leaderEpoch: 4,
          result: folded(15, { aggregate: 'all', start: 0, value: 2 }),
        },
        {
          partition: 0,
          from: 2,
          next: 3,
          leaderEpoch: 3,
          result: folded(12, { aggregate: 'all', start: 0, value: 1 }),
        },
      ],
      1000,
    )
    expect(records).toMatchObject([
      {
        key: 'position/0',
        value: { next: 3, first: 0, leaderEpoch: 4, watermark: 15, counters: { done: 2 } },
      },
      { key: 'window/all/total/0', value: { value: 3 } },
    ])
  })

  test('the watermark never passes the clock and never falls', () => {
    const batch = (from: number, latest: number): Finished => ({
      partition: 0,
      from,
      next: from + 1,
      leaderEpoch: 0,
      result: folded(latest),
    })
    const ahead = advance(born(), aggregates, [batch(0, 9_999)], 500).state
    expect(ahead.watermark).toBe(500)
    expect(advance(ahead, aggregates, [batch(1, 100)], 400).state.watermark).toBe(500)
  })

  test('a window past its retention is deleted from the state topic and gone after a restore', () => {
    const opened = advance(
      born(),
      aggregates,
      [
        {
          partition: 0,
          from: 0,
          next: 1,
          leaderEpoch: 0,
          result: folded(5, { aggregate: 'short', start: 0, value: empty }),
        },
      ],
      1000,
    )
    const key = stateKey.window('short', '10', 0)
    expect(opened.state.windows.has(key)).toBe(true)
    const closing: Finished = { partition: 0, from: 1, next: 2, leaderEpoch: 0, result: folded(30) }
    const closed = advance(opened.state, aggregates, [closing], 1000)
    expect(closed.records).toContainEqual({ key, value: null })
    expect(closed.changed).toContain(key)
    const restored = restore(aggregates, [...birth, ...opened.records, ...closed.records].map(stored))
    expect(restored.windows.has(key)).toBe(false)
    expect(restored).toEqual(closed.state)
  })

  test('a batch that folded into a window which closed meanwhile is outdated, to the millisecond', () => {
    const part = folded(5, { aggregate: 'short', start: 0, value: empty })
    const at = (watermark: number) => isOutdated({ ...born(), watermark }, aggregates, part)
    expect(at(29)).toBe(false)
    expect(at(30)).toBe(true)
    expect(
      isOutdated(
        { ...born(), watermark: 1e9 },
        aggregates,
        folded(5, { aggregate: 'all', start: 0, value: 1 }),
      ),
    ).toBe(false)
  })

  test('what a fresh folder under the same watermark keeps is never outdated', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.array(fc.nat(500)), (watermark, times) => {
        const folder = new Folder(aggregates, { watermark, now: 500 })
        for (const time of times) folder.add({ f: 'a' }, time)
        expect(isOutdated({ ...born(), watermark }, aggregates, result({ folded: folder.take() }))).toBe(
          false,
        )
      }),
    )
  })

  test('a batch that does not begin at the position is refused', () => {
    const at = (from: number): Finished => ({
      partition: 1,
      from,
      next: 20,
      leaderEpoch: 0,
      result: undefined,
    })
    expect(() => advance(born(), aggregates, [at(8)], 0)).toThrow(
      'partition 1 stands at 7, the batch begins at 8',
    )
    expect(() => advance(born(), aggregates, [at(6)], 0)).toThrow('begins at 6')
    expect(() => advance(born(), aggregates, [{ ...at(0), partition: 9 }], 0)).toThrow(
      'partition 9 stands at undefined',
    )
  })

  test('a changed definition leaves the old windows alone and starts new ones', () => {
    const { state, records } = advance(
      born(),
      { it: total.countBy('f') },
      [
        {
          partition: 0,
          from: 0,
          next: 1,
          leaderEpoch: 0,
          result: folded(1, { aggregate: 'it', start: 0, value: empty }),
        },
      ],
      1,
    )
    expect(state.windows.size).toBe(1)
    const topic = [...birth, ...records].map(stored)
    expect(restore({ it: total.countBy('f') }, topic).windows.size).toBe(1)
    expect(restore({ it: total.countBy('g') }, topic).windows.size).toBe(0)
    expect(restore({}, topic).windows.size).toBe(0)
  })

  test('a changed retention keeps the windows: it says how long they live, not what they hold', () => {
    const aggregate = hourly.count()
    const { records } = advance(
      born(),
      { it: aggregate },
      [
        {
          partition: 0,
          from: 0,
          next: 1,
          leaderEpoch: 0,
          result: folded(1, { aggregate: 'it', start: 0, value: 3 }),
        },
      ],
      1,
    )
    const longer = tumbling(3_600_000, 1_000_000_000).count()
    const [window] = restore({ it: longer }, [...birth, ...records].map(stored)).windows.values()
    expect(window?.value).toBe(3)
  })

  test('records of a later format are left alone', () => {
    const state = restore(aggregates, [
      ...birth,
      { key: 'foreseen/0/5', value: {} },
      { key: 'unheard/of', value: 1 },
    ])
    expect(state).toEqual(born())
  })
})

const empty = decode(aggregates.short ?? total.count(), { labels: ['a'], counts: [1], other: 0 })

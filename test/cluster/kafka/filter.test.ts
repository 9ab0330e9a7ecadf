/** The model: a list of records with their transactions' fates. The subject: bytes, as a broker's fetch returns them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeAll } from '../../../cluster/kafka/codec/records.ts'
import { stamp } from '../../../cluster/kafka/codec/stamp.ts'
import { visibleBatches } from '../../../cluster/kafka/filter.ts'
import { FakeLog } from '../../ports/fake/log.ts'
import { part } from '../../ports/records.ts'

const PRODUCERS = 5
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('write' as const),
        who: fc.nat(PRODUCERS - 1),
        count: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constantFrom('commit' as const, 'abort' as const),
        who: fc.nat(PRODUCERS - 1),
      }),
    },
  ),
  { maxLength: 60 },
)
type Steps = typeof steps extends fc.Arbitrary<infer T> ? T : never

interface Written {
  readonly offset: number
  readonly who: number
  fate: 'open' | 'commit' | 'abort'
}

/** Plays the steps on a log; whoever is still open at the end is aborted or committed in turn. */
const play = (chosen: Steps) => {
  const log = new FakeLog()
  const written: Written[] = []
  const sequences = new Array<number>(PRODUCERS).fill(0)
  const end = (who: number, how: 'commit' | 'abort') => {
    log.mark({ producerId: who, epoch: 0 }, how, 0)
    for (const one of written) if (one.who === who && one.fate === 'open') one.fate = how
  }
  for (const step of chosen) {
    if (step.what !== 'write') {
      if (written.some(({ who, fate }) => who === step.who && fate === 'open')) end(step.who, step.what)
      continue
    }
    const { who, count } = step
    const { bytes } = part('t', 0, ...Array.from({ length: count }, (_, index) => `${index}`))
    stamp(bytes, who, 0, sequences[who] ?? 0)
    sequences[who] = (sequences[who] ?? 0) + count
    const { base } = log.append(bytes)
    for (let index = 0; index < count; index++) written.push({ offset: base + index, who, fate: 'open' })
  }
  for (let who = 0; who < PRODUCERS; who++)
    if (written.some((one) => one.who === who && one.fate === 'open'))
      end(who, who % 2 === 0 ? 'abort' : 'commit')
  return { log, written }
}

const seen = (log: FakeLog, from: number, maxBytes: number) => {
  const offsets: number[] = []
  let position = from
  let fetches = 0
  while (position < log.stable) {
    const { records, aborted } = log.read(position, maxBytes)
    const { batches, next, records: count } = visibleBatches(records, position, aborted)
    expect(next).toBeGreaterThan(position)
    expect(batches.reduce((sum, batch) => sum + batch.records, 0)).toBe(count)
    for (const { start, end } of batches)
      for (const { offset } of decodeAll(records.subarray(start, end)))
        if (offset >= position) offsets.push(offset)
    position = next
    expect(++fetches).toBeLessThanOrEqual(log.end)
  }
  expect(position).toBe(log.stable)
  return offsets
}

describe('what a read_committed reader sees', () => {
  test('is the committed records and nothing else, wherever it begins and however the log is cut into fetches', () => {
    fc.assert(
      fc.property(steps, fc.nat(), fc.integer({ min: 1, max: 2000 }), (chosen, start, maxBytes) => {
        const { log, written } = play(chosen)
        const from = log.end === 0 ? 0 : start % log.end
        const expected = written.filter(({ offset, fate }) => fate === 'commit' && offset >= from)
        expect(seen(log, from, maxBytes)).toEqual(expected.map(({ offset }) => offset))
      }),
      { numRuns: 500 },
    )
  })

  test('is told without the end of the last batch, where the broker cut it', () => {
    const { log } = play([
      { what: 'write', who: 1, count: 2 },
      { what: 'commit', who: 1 },
      { what: 'write', who: 1, count: 2 },
    ])
    const { records, aborted } = log.read(0, 1e6)
    const whole = visibleBatches(records, 0, aborted)
    expect(whole.batches.map(({ baseOffset }) => baseOffset)).toEqual([0, 3])
    const lastStart = whole.batches[1]?.start ?? 0
    for (let size = 0; size < lastStart + 200 && size < (whole.batches[1]?.end ?? 0); size++) {
      const { batches, next } = visibleBatches(records.subarray(0, size), 0, aborted)
      expect(batches).toEqual(whole.batches.filter(({ end }) => end <= size))
      expect([0, 2, 3]).toContain(next)
    }
  })

  test('nothing at all leaves the position where it was', () => {
    expect(visibleBatches(Buffer.alloc(0), 17, [])).toEqual({
      batches: [],
      records: 0,
      next: 17,
      leaderEpoch: -1,
    })
  })

  test('carries the leader epoch of the last batch', () => {
    const { log } = play([{ what: 'write', who: 0, count: 1 }])
    log.leaderEpoch = 9
    log.mark({ producerId: 3, epoch: 0 }, 'commit', 0)
    const { records, aborted } = log.read(0, 1e6)
    expect(visibleBatches(records, 0, aborted).leaderEpoch).toBe(9)
  })
})

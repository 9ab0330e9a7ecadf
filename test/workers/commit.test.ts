import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { partsOf, stateOffsets, statePartsOf } from '../../workers/commit.ts'
import type { StateRecord } from '../../workers/ledger.ts'
import { decoded } from './support/batches.ts'
import { names, produced, result } from './support/results.ts'

const target = (maxStateBytes: number) => ({ names, slot: 3, maxStateBytes, now: 1234 })
const stateRecord: fc.Arbitrary<StateRecord> = fc.record({
  key: fc.string({ unit: 'grapheme', maxLength: 40 }),
  value: fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme', maxLength: 300 })),
})

describe('what one transaction holds', () => {
  test('state batches stay under the limit and keep every record in order', () => {
    fc.assert(
      fc.property(
        fc.array(stateRecord, { maxLength: 60 }),
        fc.integer({ min: 200, max: 5000 }),
        (records, limit) => {
          const parts = statePartsOf(records, target(limit))
          for (const part of parts) {
            expect([part.topic, part.partition]).toEqual([names.state, 3])
            expect(decoded([part])).toHaveLength(part.records)
            // Only what is too large by itself stands alone, for the broker to judge.
            if (part.records > 1) expect(part.bytes.length).toBeLessThanOrEqual(limit)
          }
          const written = decoded(parts).map(({ key, value }) => [key?.toString(), value?.toString() ?? null])
          expect(written).toEqual(
            records.map(({ key, value }) => [key, value === null ? null : JSON.stringify(value)]),
          )
        },
      ),
    )
  })

  test('the state offset of each record is found, over several parts with a gap between them', () => {
    const records = Array.from({ length: 9 }, (_, i) => ({ key: `window/w/10/${i}`, value: 'x'.repeat(100) }))
    const parts = statePartsOf(records, target(700))
    expect(parts.length).toBeGreaterThan(1)
    const bases = parts.map((_, i) => 1000 * (i + 1))
    const expected = parts.flatMap((part, i) =>
      Array.from({ length: part.records }, (_, n) => 1000 * (i + 1) + n),
    )
    const offsets = stateOffsets(records, parts, bases)
    expect(records.map(({ key }) => offsets.get(key))).toEqual(expected)
  })

  test('outputs, letters, drops, then the state: each in its topic', () => {
    const drop = { partition: 5, from: 7, to: 9, code: 'unwanted' }
    const { parts, stateFrom } = partsOf(
      [
        result({ outputs: [produced(5, 1, 2)], letters: [produced(5, 3)], drops: [drop] }),
        result({ outputs: [produced(1, 8)] }),
      ],
      [{ key: 'position/5', value: { next: 10 } }],
      target(10_000),
    )
    expect(parts.map(({ topic, partition, records }) => [topic, partition, records])).toEqual([
      ['out', 5, 2],
      ['out', 1, 1],
      ['dlq', 5, 1],
      [names.drops, 3, 1],
      [names.state, 3, 1],
    ])
    expect(stateFrom).toBe(4)
    const [dropped] = decoded(parts.slice(3, 4))
    expect([dropped?.key?.toString(), JSON.parse(dropped?.value?.toString() ?? '')]).toEqual(['5', drop])
  })

  test('a transaction without drops writes nothing to the drops topic', () => {
    const { parts } = partsOf([result()], [{ key: 'position/0', value: {} }], target(10_000))
    expect(parts.map(({ topic }) => topic)).toEqual([names.state])
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Aggregate,
  type Counts,
  DISTINCT_ERROR,
  decode,
  definitionHash,
  emptyValue,
  encode,
  entriesOf,
  equals,
  finalize,
  hourly,
  isCounts,
  merge,
  OTHER,
  topN,
  total,
  tumbling,
  type Value,
} from '../../../pipelines/api/aggregates.ts'
import type { JsonObject } from '../../../pipelines/api/define.ts'
import { Folder } from '../../../pipelines/api/folder.ts'

const folded = (aggregate: Aggregate, records: readonly JsonObject[]): Value => {
  const folder = new Folder({ it: aggregate }, { watermark: 0, now: 0 })
  for (const record of records) folder.add(record, 0)
  return folder.take().windows[0]?.value ?? emptyValue(aggregate)
}
const counts = (value: Value): Counts => {
  if (!isCounts(value)) throw new Error('no counts')
  return value
}

const all: readonly (readonly [string, Aggregate])[] = [
  ['count', total.count()],
  ['countBy', total.countBy('f')],
  ['countBy with a cap', total.countBy('f', 3)],
  ['sum', total.sum('f')],
  ['min', total.min('f')],
  ['max', total.max('f')],
  ['distinct', total.distinct('f')],
]

const field = fc.oneof(
  fc.integer({ min: 0, max: 12 }).map(String),
  fc.constantFrom('android', 'iOS', '10', '(other)', '(none)', '__proto__', 'constructor', ''),
  fc.double({ noNaN: false }),
  fc.constantFrom(0.1, 1e16, -1e16, 1e-300, 5e-324, 1e289),
  fc.constantFrom(null, true, [1], { a: 1 }, undefined),
)
const records = fc.array(
  field.map((f): JsonObject => (f === undefined ? {} : { f })),
  { maxLength: 60 },
)
/** A sequence in pieces, and an order in which neighbours are merged. */
const pieces = fc.array(records, { minLength: 1, maxLength: 6 })

const mergeInSomeOrder = (
  aggregate: Aggregate,
  values: readonly Value[],
  picks: readonly number[],
): Value => {
  const left = [...values]
  for (let step = 0; left.length > 1; step++) {
    const at = (picks[step] ?? 0) % (left.length - 1)
    const [a, b] = left.slice(at, at + 2)
    if (a !== undefined && b !== undefined) left.splice(at, 2, merge(aggregate, a, b))
  }
  return left[0] ?? emptyValue(aggregate)
}

describe.each(all)('%s', (_, aggregate) => {
  test('a sequence cut anywhere, folded in parts and merged in any grouping is the sequence folded', () => {
    fc.assert(
      fc.property(pieces, fc.array(fc.nat(), { maxLength: 6 }), (parts, picks) => {
        const whole = folded(aggregate, parts.flat())
        const merged = mergeInSomeOrder(
          aggregate,
          parts.map((part) => folded(aggregate, part)),
          picks,
        )
        expect(equals(aggregate, merged, whole)).toBe(true)
        expect(finalize(aggregate, merged)).toEqual(finalize(aggregate, whole))
        // Same grouping order, so labels keep the order of the sequence too.
        if (isCounts(whole)) expect(counts(merged).labels).toEqual(whole.labels)
      }),
    )
  })

  test('merge is commutative, pure, and empty is its identity', () => {
    fc.assert(
      fc.property(records, records, (one, two) => {
        const a = folded(aggregate, one)
        const b = folded(aggregate, two)
        const before = structuredClone([a, b])
        expect(equals(aggregate, merge(aggregate, a, b), merge(aggregate, b, a))).toBe(true)
        expect(equals(aggregate, merge(aggregate, emptyValue(aggregate), a), a)).toBe(true)
        expect(equals(aggregate, merge(aggregate, a, emptyValue(aggregate)), a)).toBe(true)
        expect([a, b]).toEqual(before)
      }),
    )
  })

  test('values survive JSON, and a structured clone between threads', () => {
    fc.assert(
      fc.property(records, (some) => {
        const value = folded(aggregate, some)
        const back = decode(aggregate, JSON.parse(JSON.stringify(encode(aggregate, value))))
        expect(equals(aggregate, back, value)).toBe(true)
        expect(finalize(aggregate, structuredClone(value))).toEqual(finalize(aggregate, value))
      }),
    )
  })

  test('what is folded in memory equals what is recounted from the written JSON', () => {
    fc.assert(
      fc.property(records, (some) => {
        const written: JsonObject[] = some.map((record) => JSON.parse(JSON.stringify(record)))
        expect(equals(aggregate, folded(aggregate, some), folded(aggregate, written))).toBe(true)
      }),
    )
  })

  test('JSON of another fold is refused', () => {
    expect(() => decode(aggregate, { nonsense: true })).toThrow('not an encoded')
  })
})

test('different values are not equal', () => {
  for (const [name, aggregate] of all) {
    const one = folded(aggregate, [{ f: name.startsWith('countBy') ? 'a' : 1 }])
    const two = folded(aggregate, [{ f: 1 }, { f: 2 }, { f: -3.5 }])
    expect(equals(aggregate, one, two), name).toBe(false)
  }
})

test('labels stand in the order they were first seen, also those that look like numbers', () => {
  const value = folded(total.countBy('f'), [{ f: 'z' }, { f: '10' }, { f: 2 }, { f: 'z' }, {}])
  expect(entriesOf(counts(value))).toEqual([
    ['z', 2],
    ['10', 1],
    ['2', 1],
    ['(none)', 1],
  ])
})

test('top n: most counted first, ties to the label seen first, (other) never', () => {
  const letters = 'b b a a c d d'.split(' ').map((f) => ({ f }))
  expect(topN(counts(folded(total.countBy('f'), letters)), 3)).toEqual([
    ['b', 2],
    ['a', 2],
    ['d', 2],
  ])
  const capped = counts(folded(total.countBy('f', 1), letters))
  expect(topN(capped, 5).map(([label]) => label)).not.toContain(OTHER)
})

test('at most cap labels are kept, the rest is counted as (other)', () => {
  const many = Array.from({ length: 10_000 }, (_, i) => ({ f: `label ${i}` }))
  const value = counts(folded(total.countBy('f'), many))
  expect(value.labels).toHaveLength(1000)
  expect(value.other).toBe(9000)
  expect(Object.keys(Object(finalize(total.countBy('f'), value)))).toHaveLength(1001)
})

test('a label that is called (other) is counted with the rest', () => {
  const value = { labels: [OTHER, 'a'], counts: [2, 1], other: 5 }
  expect(finalize(total.countBy('f'), value)).toEqual({ [OTHER]: 7, a: 1 })
})

test('a long label is cut, so that a thousand fit into one record', () => {
  const [label] = counts(folded(total.countBy('f'), [{ f: 'x'.repeat(5000) }])).labels
  expect(label).toBe(`${'x'.repeat(120)}…`)
})

test('sums are exact in any order', () => {
  const sum = total.sum('f')
  const numbers = [1e16, 1, -1e16, 0.1, 0.2, 0.3].map((f) => ({ f }))
  expect(finalize(sum, folded(sum, numbers))).toBe(1.6)
  expect(finalize(sum, folded(sum, numbers.toReversed()))).toBe(1.6)
})

test('sums are correctly rounded: as whole numbers of 2^-1074 say', () => {
  const scaled = fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 })
  const term = fc.tuple(scaled, fc.integer({ min: 0, max: 60 }))
  fc.assert(
    fc.property(fc.array(term, { maxLength: 30 }), (terms) => {
      const exact = terms.reduce(
        (whole, [mantissa, shift]) => whole + (BigInt(mantissa) << BigInt(shift)),
        0n,
      )
      const value = folded(
        total.sum('f'),
        terms.map(([mantissa, shift]) => ({ f: mantissa * 2 ** shift })),
      )
      expect(finalize(total.sum('f'), value)).toBe(Number(exact))
    }),
  )
})

const idKinds: readonly (readonly [string, (i: number) => unknown])[] = [
  ['counting numbers', (i) => i],
  ['padded texts', (i) => `user-${String(i).padStart(8, '0')}`],
  ['scrambled hex', (i) => Math.imul(i + 1, 0x9e3779b1).toString(16)],
]

test.each(idKinds)('distinct estimates stay within three standard errors: %s', (_, idOf) => {
  const distinct = total.distinct('f')
  for (const size of [1, 10, 100, 1000, 5000, 10_000, 20_000, 100_000]) {
    const records = Array.from({ length: size }, (_, i) => ({ f: idOf(i) }))
    const shown = finalize(distinct, folded(distinct, [...records, ...records.slice(0, 1000)]))
    expect(Math.abs(Number(shown) - size), `of ${size}`).toBeLessThanOrEqual(
      Math.max(1, 3 * DISTINCT_ERROR * size),
    )
  }
})

test('a sketch is text of at most 4 KB, and short while few are counted', () => {
  const distinct = total.distinct('f')
  const sketch = (size: number) =>
    String(
      encode(
        distinct,
        folded(
          distinct,
          Array.from({ length: size }, (_, i) => ({ f: i })),
        ),
      ),
    )
  expect(sketch(3).length).toBeLessThan(20)
  for (const size of [800, 900, 1000, 100_000]) expect(sketch(size).length).toBeLessThanOrEqual(4096)
})

test('stored sketches stay readable: the hash never changes', () => {
  const distinct = total.distinct('f')
  expect(encode(distinct, folded(distinct, [{ f: 'a' }, { f: 'ü' }, { f: 7 }]))).toMatchInlineSnapshot(
    `"sAAsBAOriARnB"`,
  )
})

test('a definition that counts something else has another hash; retention is none of it', () => {
  const hashes = [
    total.count(),
    hourly.count(),
    tumbling(60_000, 0).count(),
    hourly.countBy('a'),
    hourly.countBy('b'),
    hourly.countBy('a', 5),
    hourly.sum('a'),
    hourly.min('a'),
    hourly.max('a'),
    hourly.distinct('a'),
  ].map(definitionHash)
  expect(new Set(hashes).size).toBe(hashes.length)
  expect(definitionHash(tumbling(3_600_000, 1).count())).toBe(definitionHash(hourly.count()))
  expect(definitionHash({ retention: 5, fold: 'count', size: 3_600_000, span: 'window' })).toBe(
    definitionHash(hourly.count()),
  )
})

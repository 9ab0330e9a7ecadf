import fc from 'fast-check'
import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { batch, total } from '../../../pipelines/api/aggregates.ts'
import {
  type BatchRules,
  batchRules,
  countRows,
  NO_REST,
  rowFields,
  rowOf,
} from '../../../pipelines/api/batches.ts'
import { type AnyPipeline, definePipeline } from '../../../pipelines/api/define.ts'
import { Folder } from '../../../pipelines/api/folder.ts'

const EACH = 4
const pipeline = definePipeline({
  name: 'p',
  topics: { input: 'in', deadLetters: 'dlq', insights: 'insights' },
  schema: Type.Object({ f: Type.String() }),
  options: Type.Object({ each: Type.Integer() }),
  aggregates: {
    all: total.count(),
    by_f: total.countBy('f'),
    these: batch.count(),
    most: batch.top('f', 1),
    failed: total.errors(),
  },
  insights: {
    each: (options) => options.each,
    messages: (figures, { records }) => [
      {
        all: figures.number('all'),
        by_f: Object.fromEntries(figures.counts('by_f')),
        these: figures.number('these'),
        most: figures.counts('most'),
        failed: figures.counts('failed'),
        records,
      },
    ],
  },
}) as unknown as AnyPipeline

const rulesOf = (each: number): BatchRules => {
  const rules = batchRules(pipeline, { each })
  if (rules === undefined) throw new Error('no insights')
  return rules
}

/** Rows in pieces, as commits bring them. */
const runIn = (pieces: readonly (readonly string[])[], each = EACH, flushAfter = new Set<number>()) => {
  const rules = rulesOf(each)
  let rest = NO_REST
  let all = 0
  const by = new Map<string, number>()
  const batches = pieces.flatMap((piece, i) => {
    const counted = countRows(
      rules,
      piece.map((f) => ({ f })),
      {
        rest,
        before: (name) =>
          name === 'all'
            ? all
            : name === 'by_f'
              ? { labels: [...by.keys()], counts: [...by.values()], other: 0 }
              : undefined,
        slot: 3,
        now: 5,
        flush: flushAfter.has(i),
      },
    )
    rest = counted.rest
    all += piece.length
    for (const f of piece) by.set(f, (by.get(f) ?? 0) + 1)
    expect(counted.totals.get('all') ?? 0).toBe(piece.length)
    return counted.batches
  })
  return { batches, rest }
}

const labels = fc.array(fc.constantFrom('a', 'b', 'c', '7'), { maxLength: 30 })

describe('insights by count', () => {
  test('batches are the same, however commits cut the records', () => {
    fc.assert(
      fc.property(fc.array(labels, { maxLength: 8 }), (pieces) => {
        const [cut, whole] = [runIn(pieces), runIn([pieces.flat()])]
        expect(cut).toEqual(whole)
      }),
    )
  })

  test('every record is in exactly one batch or in the rest, also where the rest is flushed', () => {
    fc.assert(
      fc.property(fc.array(labels, { maxLength: 8 }), fc.uniqueArray(fc.nat(8)), (pieces, flushes) => {
        const { batches, rest } = runIn(pieces, EACH, new Set(flushes))
        const sum = batches.reduce((records, one) => records + one.records, 0)
        expect(sum + rest.records).toBe(pieces.flat().length)
        expect(rest.total).toBe(pieces.flat().length)
        expect(batches.map(({ number }) => number)).toEqual(batches.map((_, i) => i))
        for (const one of batches) expect(one.records).toBeGreaterThan(0)
      }),
    )
  })

  test('totals stand as they did at the record that filled the batch, batches hold their own records alone', () => {
    const { batches } = runIn([
      ['a', 'b', 'a'],
      ['a', 'c', 'c', 'b', 'b', 'a'],
    ])
    expect(batches.map(({ messages }) => messages[0])).toEqual([
      { all: 4, by_f: { a: 3, b: 1 }, these: 4, most: [['a', 3]], failed: [], records: 4 },
      { all: 8, by_f: { a: 3, b: 3, c: 2 }, these: 4, most: [['c', 2]], failed: [], records: 4 },
    ])
  })

  test('a batch that is larger than a lowered `each` goes out with the next record', () => {
    const waiting = countRows(
      rulesOf(10),
      Array.from({ length: 7 }, () => ({ f: 'a' })),
      {
        rest: NO_REST,
        before: () => undefined,
        slot: 0,
        now: 0,
        flush: false,
      },
    )
    const { batches, rest } = countRows(rulesOf(3), [{ f: 'b' }], {
      rest: waiting.rest,
      before: () => undefined,
      slot: 0,
      now: 0,
      flush: false,
    })
    expect([batches.map(({ records }) => records), rest.records]).toEqual([[8], 0])
  })

  test.each([0, -1, 1.5, Number.NaN])('%s records a batch are refused', (each) => {
    expect(() => batchRules(pipeline, { each })).toThrow(/insights.each came to/)
  })

  test('a row holds what the folds read, and nothing else', () => {
    const fields = rowFields(pipeline) ?? []
    expect(fields).toEqual(['f'])
    expect(rowOf({ f: 'x', secret: 'y' }, fields)).toEqual({ f: 'x' })
    const odd = rowOf({ f: { toJSON: () => 'text' } }, fields)
    expect(odd).toEqual({ f: 'text' })
    expect(structuredClone(rowOf({ f: { deep: [() => 1] } }, fields))).toEqual({ f: {} })
  })

  test('errors are counted by class, apart from records', () => {
    const folder = new Folder(pipeline.aggregates ?? {}, { watermark: 0, now: 0 })
    for (const one of ['x', 'y', 'x']) folder.error(one)
    const failed = folder.take().windows.find(({ aggregate }) => aggregate === 'failed')
    expect(failed?.value).toEqual({ labels: ['x', 'y'], counts: [2, 1], other: 0 })
    expect(folder.take().windows).toEqual([])
  })
})

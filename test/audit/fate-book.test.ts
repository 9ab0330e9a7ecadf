import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BookRange, FATES, type Fate, FateBook } from '../../audit/fate-book.ts'

interface Noted {
  readonly offset: number
  readonly fate: Fate
}

/** A clean history: data offsets with holes between them (control and aborted batches), one fate at each, in any order. */
const histories = fc
  .record({
    first: fc.nat(5),
    gone: fc.nat(5),
    gaps: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 60 }),
    fates: fc.array(fc.constantFrom(...FATES), { minLength: 70, maxLength: 70 }),
    later: fc.nat(5),
    seed: fc.nat(),
  })
  .map(({ first, gone, gaps, fates, later, seed }) => {
    const from = first + gone
    let next = from
    const offsets = gaps.map((gap) => {
      next += gap
      return next - 1
    })
    const range: BookRange = { first, from, to: next, covered: next + later }
    const noted = offsets.map((offset, i): Noted => ({ offset, fate: fates[i] ?? 'output' }))
    return { range, offsets, noted: shuffled(noted, seed) }
  })

const shuffled = <T>(items: readonly T[], seed: number): readonly T[] =>
  items
    .map((item, i) => ({ item, rank: Math.imul(i + 1, seed | 1) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)

const bookOf = (range: BookRange, offsets: readonly number[], noted: readonly Noted[]): FateBook => {
  const book = new FateBook(range)
  for (const { offset, fate } of noted) book.note(offset, fate)
  for (const offset of offsets) book.data(offset)
  return book
}

const clean = { lost: 0, double: 0, foreign: 0 }
const counts = fc.nat()

describe('the book of fates', () => {
  test('finds nothing where each data offset has one fate, whatever the order and the holes', () => {
    fc.assert(
      fc.property(histories, ({ range, offsets, noted }) => {
        const verdict = bookOf(range, offsets, noted).verdict()
        expect(verdict).toMatchObject({ ...clean, produced: offsets.length })
        for (const fate of FATES)
          expect(verdict.counts[fate]).toBe(noted.filter((one) => one.fate === fate).length)
      }),
    )
  })

  test('names an offset whose fate is missing, and nothing else', () => {
    fc.assert(
      fc.property(histories, counts, ({ range, offsets, noted }, pick) => {
        const offset = offsets[pick % offsets.length] ?? -1
        const rest = noted.filter((one) => one.offset !== offset)
        const verdict = bookOf(range, offsets, rest).verdict()
        expect(verdict).toMatchObject({ ...clean, lost: 1 })
        expect(verdict.offending.lost).toEqual([offset])
      }),
    )
  })

  test('names an offset with a second fate, of the same kind or another', () => {
    fc.assert(
      fc.property(histories, counts, fc.constantFrom(...FATES), ({ range, offsets, noted }, pick, fate) => {
        const planted = noted[pick % noted.length]
        const offset = planted?.offset ?? -1
        const verdict = bookOf(range, offsets, [...noted, { offset, fate }]).verdict()
        expect(verdict).toMatchObject({ ...clean, double: 1 })
        const fates = FATES.filter((one) => one === fate || one === planted?.fate)
        expect(verdict.offending.double).toEqual([{ offset, fates }])
      }),
    )
  })

  test('names a fate where the position covers no data: a hole, before the first position, beyond the newest', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: -5, max: 300 }), ({ range, offsets, noted }, at) => {
        const offset = Math.max(0, range.first + at)
        fc.pre(!offsets.includes(offset))
        fc.pre(offset < range.first || offset >= range.covered || (offset >= range.from && offset < range.to))
        const verdict = bookOf(range, offsets, [...noted, { offset, fate: 'dead' }]).verdict()
        expect(verdict).toMatchObject({ ...clean, foreign: 1 })
        expect(verdict.offending.foreign).toEqual([offset])
      }),
    )
  })

  test('says nothing of offsets that left the input, nor of fates committed after the position was read', () => {
    fc.assert(
      fc.property(histories, ({ range, offsets, noted }) => {
        const book = bookOf(range, offsets, noted)
        for (let offset = range.first; offset < range.from; offset++)
          expect(book.note(offset, 'output')).toBe(true)
        for (let offset = range.to; offset < range.covered; offset++) {
          expect(book.note(offset, 'output')).toBe(false)
          expect(book.note(offset, 'dead')).toBe(false)
        }
        expect(book.verdict()).toMatchObject(clean)
        const below = range.from - range.first
        expect(book.seen('output')).toBe(below + noted.filter(({ fate }) => fate === 'output').length)
      }),
    )
  })

  test('notes a range as it notes its offsets one by one', () => {
    const range: BookRange = { first: 10, from: 20, to: 40, covered: 50 }
    fc.assert(
      fc.property(fc.nat(70), fc.nat(70), (start, length) => {
        const end = start + length
        const [whole, single] = [new FateBook(range), new FateBook(range)]
        whole.noteRange(start, end, 'drop')
        for (let offset = start; offset <= end; offset++) single.note(offset, 'drop')
        const inside = ({ from, to, counts, lost, double }: ReturnType<FateBook['verdict']>) => ({
          from,
          to,
          counts,
          lost,
          double,
        })
        expect(inside(whole.verdict())).toEqual(inside(single.verdict()))
        expect(whole.seen('drop')).toBe(single.seen('drop'))
        expect(whole.verdict().foreign > 0).toBe(single.verdict().foreign > 0)
      }),
    )
  })

  test('is not held up by a range that never ends', () => {
    const book = new FateBook({ first: 0, from: 0, to: 10, covered: 10 })
    for (let offset = 0; offset < 10; offset++) book.data(offset)
    book.noteRange(0, Number.MAX_SAFE_INTEGER - 1, 'drop')
    expect(book.verdict()).toMatchObject({ lost: 0, foreign: 1, offending: { foreign: [10] } })
  })

  test('says nothing of offsets below which fates are gone', () => {
    const book = new FateBook({ first: 0, from: 0, to: 10, covered: 10 })
    for (let offset = 0; offset < 10; offset++) book.data(offset)
    for (let offset = 6; offset < 10; offset++) book.note(offset, 'output')
    expect(book.verdict()).toMatchObject({ from: 0, produced: 10, lost: 6 })
    expect(book.verdict(6)).toMatchObject({ from: 6, to: 10, produced: 4, lost: 0 })
    expect(book.verdict(99)).toMatchObject({ from: 10, to: 10, produced: 0, lost: 0 })
  })

  test('takes no offence at a fate whose record compaction took away', () => {
    const book = new FateBook({ first: 0, from: 0, to: 3, covered: 3, holes: true })
    book.data(0)
    for (const offset of [0, 1, 2]) book.note(offset, 'output')
    expect(book.verdict()).toMatchObject({ ...clean, produced: 1, counts: { output: 3 } })
  })

  test('leaves the later fate of a settled retry to the next audit', () => {
    const book = new FateBook({ first: 0, from: 0, to: 2, covered: 2, settled: new Set([1]) })
    for (const offset of [0, 1]) book.data(offset)
    book.note(0, 'output')
    book.note(1, 'parked')
    expect(book.note(1, 'output')).toBe(false)
    expect(book.verdict()).toMatchObject({ ...clean, counts: { output: 1, parked: 1 } })
  })

  test('names ten and counts the rest', () => {
    const book = new FateBook({ first: 0, from: 0, to: 100, covered: 100 })
    for (let offset = 0; offset < 100; offset++) book.data(offset)
    const verdict = book.verdict()
    expect(verdict.lost).toBe(100)
    expect(verdict.offending.lost).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

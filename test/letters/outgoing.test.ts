import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { MarkBook, markKey, newMark } from '../../letters/marks.ts'
import { heldBack, inOrder, nextChunk, outgoing } from '../../letters/outgoing.ts'
import { letter } from './made.ts'

const guard = { maxReplays: 3, force: false }
const mark = newMark({ state: 'done', deed: 'replay', who: 'w', at: 1, action: 'a', topicId: 't' })
const sending = { partitions: 4, now: 5 }
const headersOf = (one: ReturnType<typeof outgoing>) => Object.fromEntries(one.record.headers ?? [])

describe('a letter stays', () => {
  test('that was sent, unless it is forced', () => {
    expect(heldBack(letter(), undefined, guard)).toBeUndefined()
    expect(heldBack(letter(), mark, guard)).toBe('settled')
    expect(heldBack(letter(), mark, { ...guard, force: true })).toBeUndefined()
  })

  test('of which nobody knows whether it was sent', () =>
    expect(heldBack(letter(), { ...mark, state: 'sending' }, guard)).toBe('unproven'))

  test('whose record went round so often, also when it is forced', () => {
    expect(heldBack(letter({ replays: 2 }), undefined, guard)).toBeUndefined()
    expect(heldBack(letter({ replays: 3 }), undefined, guard)).toBe('looping')
    expect(heldBack(letter({ replays: 3 }), mark, { ...guard, force: true })).toBe('looping')
  })

  test('without a record', () =>
    expect(heldBack(letter({ body: 'unreadable' }), undefined, guard)).toBe('unreadable'))
})

describe('on its way', () => {
  test('a letter is its record again, with one mark more each time', () => {
    const one = outgoing(letter({ replays: 1, headers: [['a', Buffer.from('b')]] }), sending)
    expect(one).toMatchObject({
      partition: 3,
      record: { key: Buffer.from('key'), value: Buffer.from('value') },
    })
    expect(headersOf(one)).toMatchObject({
      a: Buffer.from('b'),
      [HEADER.replays]: '2',
      [HEADER.replayOf]: 'dlq/0/7',
    })
    expect(headersOf(one)).not.toHaveProperty([HEADER.repaired])
  })

  test('a mended one has its new value and says by what', () => {
    const one = outgoing(letter(), sending, { value: Buffer.from('new'), by: '--set a' })
    expect(one.record.value).toEqual(Buffer.from('new'))
    expect(headersOf(one)).toMatchObject({ [HEADER.repaired]: '--set a' })
  })

  test('it goes to the partition it came from; where the input has fewer now, by its key', () => {
    const { partition } = outgoing(letter(), { ...sending, partitions: 2 })
    expect(partition).toBeLessThan(2)
    expect(outgoing(letter({ key: null }), { ...sending, partitions: 2 }).partition).toBe(1)
  })

  test('those of one partition go in the order of their origins', () => {
    const at = fc.record({ partition: fc.nat(3), offset: fc.nat(50) })
    fc.assert(
      fc.property(fc.array(at), (origins) => {
        const sent = inOrder(origins.map((origin) => letter({ origin: { topic: 'in', ...origin } })))
        for (const some of Object.values(Object.groupBy(sent, ({ origin }) => origin.partition))) {
          const offsets = some?.map(({ origin }) => origin.offset) ?? []
          expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
        }
        expect(sent).toHaveLength(origins.length)
      }),
    )
  })

  test('a transaction takes at least one, and no more than its bounds', () => {
    const queue = [1, 2, 3].map((partition) => ({ ...outgoing(letter(), sending), partition, weight: 10 }))
    expect(nextChunk(queue, { records: 2, bytes: 1000 })).toHaveLength(2)
    expect(nextChunk(queue, { records: 9, bytes: 20 })).toHaveLength(2)
    expect(nextChunk(queue, { records: 9, bytes: 1 })).toHaveLength(1)
    expect(nextChunk(queue, { records: 9, bytes: 1000 })).toHaveLength(3)
    expect(nextChunk([], { records: 9, bytes: 1000 })).toEqual([])
  })
})

describe('the book of marks', () => {
  const place = { topic: 'dlq', partition: 0, offset: 7 }
  const noted = (...values: (object | null)[]) => {
    const book = new MarkBook('t')
    for (const value of values) book.note(markKey(place), value && JSON.stringify(value))
    return book
  }

  test('the newest of a letter counts, and may be taken back', () => {
    const intent = { ...mark, state: 'sending' }
    expect(noted(intent).sending()).toHaveLength(1)
    expect(noted(intent, mark).of(place)).toEqual(mark)
    expect(noted(intent, mark).sending()).toEqual([])
    expect(noted(intent, null).of(place)).toBeUndefined()
  })

  test('marks of a dead-letter topic that was made anew mean other letters', () =>
    expect(noted({ ...mark, topicId: 'before' }).of(place)).toBeUndefined())

  test('what it does not understand is skipped', () => {
    expect(noted({ ...mark, format: 2 }).of(place)).toBeUndefined()
    const book = new MarkBook('t')
    for (const text of ['', 'x', '[]', '1', '{}']) book.note(markKey(place), text)
    for (const key of ['action/1', 'x', '']) book.note(key, '{}')
    expect(book.of(place)).toBeUndefined()
    expect(book.actions()).toEqual([])
  })
})

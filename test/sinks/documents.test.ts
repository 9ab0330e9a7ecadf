import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { documentsOf, isRejection } from '../../sinks/documents.ts'
import { letterOf, slicesOf } from '../../sinks/letters.ts'
import { chunkOf, recordOf, TOPIC } from './made.ts'

const limits = { recordBytes: 1000, decompressedBytes: 1_000_000 }

test('each record is a document under topic-partition-offset, in one line, or a rejection by name', () => {
  const values = [
    '{"a":1}',
    '{\n "a": "x\\ny",\n "b": 9007199254740993\n}',
    null,
    '1',
    '{',
    '[]',
    `{"a":"${'x'.repeat(1000)}"}`,
  ]
  const found = [...documentsOf(TOPIC, chunkOf(3, 40, values), limits)].map((one) =>
    isRejection(one) ? one.code : [one.id, one.source.toString()],
  )
  expect(found).toEqual([
    ['outputs-3-40', '{"a":1}'],
    // Numbers beyond what JavaScript can hold stay as they are.
    ['outputs-3-41', '{  "a": "x\\ny",  "b": 9007199254740993 }'],
    'tombstone',
    'not-an-object',
    'not-json',
    'not-an-object',
    'too-large',
  ])
})

test('records before the position and behind the bound are left out', () => {
  const chunk = { ...chunkOf(0, 10, ['{}', '{}', '{}', '{}']), from: 11, next: 13 }
  expect([...documentsOf(TOPIC, chunk, limits)].map(({ record }) => record.offset)).toEqual([11, 12])
})

test('a letter has the bytes and headers of its record, and says where it came from', () => {
  const value = randomBytes(30)
  const headers: [string, Buffer | null][] = [
    ['trace', Buffer.from('1')],
    ['trace', Buffer.from('2')],
    ['millrace-origin', Buffer.from('input/0/7')],
  ]
  const record = { ...recordOf(4, '{}', 2), key: Buffer.from('k'), value, headers }
  expect(letterOf({ record, code: 'not-json', reason: 'no JSON' }, 0)).toEqual({
    partition: 2,
    key: Buffer.from('k'),
    value,
    timestamp: '1',
    headers: {
      trace: [Buffer.from('1'), Buffer.from('2')],
      'millrace-origin': 'outputs/2/4',
      'millrace-error-code': 'not-json',
      'millrace-error-message': 'no JSON',
      'millrace-attempts': '1',
      'millrace-failed-at': '1970-01-01T00:00:00.000Z',
    },
  })
})

test('letters go in slices that Kafka takes: all of them, in order, one at least', () => {
  const letters = [10, 4000, 10, 3000, 9000].map((size, n) => ({
    partition: n,
    key: null,
    value: Buffer.alloc(size),
  }))
  const slices = slicesOf(letters, 6000)
  expect(slices.flat()).toEqual(letters)
  expect(slices.map((slice) => slice.length)).toEqual([3, 1, 1])
  expect(slicesOf([], 5000)).toEqual([])
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FateHeaders } from '../../audit/fate-headers.ts'
import { RecordCursor } from '../../cluster/kafka/codec/decode.ts'
import { readHeader } from '../../cluster/kafka/codec/header.ts'
import { encodeBatch } from '../../cluster/kafka/codec/records.ts'
import { formatOrigin, HEADER } from '../../cluster/protocol/headers.ts'

type Headers = readonly (readonly [string, string | Uint8Array | null])[]

const read = (topic: string, headers: Headers): FateHeaders | undefined => {
  const batch = encodeBatch([{ timestamp: 1, key: 'k', value: 'v', headers }])
  const bytes = Buffer.from(batch?.bytes ?? [])
  const header = readHeader(bytes, 0)
  if (header === undefined) throw new Error('no batch')
  const cursor = new RecordCursor()
  cursor.reset(bytes, header, 1 << 20)
  cursor.next()
  const found = new FateHeaders(topic)
  return found.read(cursor) ? found : undefined
}

const others = fc.array(
  fc.tuple(
    fc.string().filter((name) => !name.startsWith('millrace-')),
    fc.option(fc.uint8Array(), { nil: null }),
  ),
  { maxLength: 5 },
)

test('finds the origin among any other headers', () => {
  const origins = fc.record({ partition: fc.nat(10_000), offset: fc.nat(Number.MAX_SAFE_INTEGER) })
  fc.assert(
    fc.property(others, others, origins, (before, behind, origin) => {
      const text = formatOrigin({ topic: 'in.put', ...origin })
      expect(read('in.put', [...before, [HEADER.origin, text], ...behind])).toMatchObject(origin)
    }),
  )
})

test('the first origin counts: a dead letter carries the headers of its record behind its own', () => {
  const found = read('in', [
    [HEADER.origin, 'in/1/20'],
    [HEADER.origin, 'in/3/40'],
  ])
  expect(found).toMatchObject({ partition: 1, offset: 20 })
})

test('a first origin of another topic makes the record somebody else’s', () => {
  const found = read('in', [
    [HEADER.origin, 'other/1/20'],
    [HEADER.origin, 'in/3/40'],
  ])
  expect(found).toBeUndefined()
})

test.each([
  ['no headers', []],
  ['another name', [['millrace-origim', 'in/1/20']]],
  ['a longer topic', [[HEADER.origin, 'in2/1/20']]],
  ['no offset', [[HEADER.origin, 'in/1/']]],
  ['no partition', [[HEADER.origin, 'in//20']]],
  ['one number', [[HEADER.origin, 'in/20']]],
  ['no digits', [[HEADER.origin, 'in/1/2x']]],
  ['a sign', [[HEADER.origin, 'in/1/-2']]],
  ['null', [[HEADER.origin, null]]],
  ['digits without end', [[HEADER.origin, `in/1/${'9'.repeat(40)}`]]],
] satisfies [string, Headers][])('%s is no origin', (_, headers) => {
  expect(read('in', headers)).toBeUndefined()
})

test('reads who left the record out and its own time', () => {
  const found = read('in', [
    [HEADER.origin, 'in/1/20'],
    [HEADER.originalTimestamp, '1694479551000'],
    [HEADER.late, 'logins,by_hour'],
  ])
  expect(found).toMatchObject({ late: ['logins', 'by_hour'], originalTimestamp: 1_694_479_551_000 })
  expect(read('in', [[HEADER.origin, 'in/1/20']])).toMatchObject({ late: [], originalTimestamp: undefined })
})

test('tells a retried record and the code of a letter, both by the first that is there', () => {
  const letter = read('in', [
    [HEADER.origin, 'in/1/20'],
    [HEADER.errorCode, 'schema:at'],
    [HEADER.attempts, '3'],
    [HEADER.errorCode, 'of another life'],
    [HEADER.attempts, '1'],
  ])
  expect(letter).toMatchObject({ errorCode: 'schema:at', retried: true })
  const first = read('in', [
    [HEADER.origin, 'in/1/20'],
    [HEADER.attempts, '1'],
    [HEADER.attempts, '3'],
  ])
  expect(first).toMatchObject({ errorCode: '', retried: false })
})

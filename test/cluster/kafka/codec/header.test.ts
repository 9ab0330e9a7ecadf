import { expect, test } from 'vitest'
import { CodecError } from '../../../../cluster/kafka/codec/error.ts'
import { type BatchHeader, readControlType, readHeader } from '../../../../cluster/kafka/codec/header.ts'
import { AT, ATTRIBUTE, writeInt64 } from '../../../../cluster/kafka/codec/layout.ts'
import { encodeBatch, type PlainRecord } from '../../../../cluster/kafka/codec/records.ts'

const encode = (records: PlainRecord[]): Buffer => {
  const batch = encodeBatch(records)
  if (batch === undefined) throw new Error('a batch was expected')
  return Buffer.from(batch.bytes.buffer)
}
const one = (): Buffer => encode([{ timestamp: 1, key: 'k', value: 'v' }])
const read = (bytes: Buffer): BatchHeader => {
  const header = readHeader(bytes, 0)
  if (header === undefined) throw new Error('a whole batch was expected')
  return header
}
const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof CodecError) return error.code
    throw error
  }
  return 'no error'
}

test('a batch cut at any byte is not there yet', () => {
  const bytes = one()
  for (let length = 0; length < bytes.length; length++) {
    expect(readHeader(bytes.subarray(0, length), 0)).toBeUndefined()
  }
  expect(readHeader(bytes, 0)?.end).toBe(bytes.length)
  expect(readHeader(bytes, bytes.length)).toBeUndefined()
})

test('batches follow each other, and a cut last one ends the walk', () => {
  const bytes = Buffer.concat([one(), one(), one().subarray(0, 40)])
  const first = read(bytes)
  const second = readHeader(bytes, first.end)
  expect(second?.start).toBe(first.end)
  expect(readHeader(bytes, second?.end ?? 0)).toBeUndefined()
})

test('an older message format is named, not read', () => {
  const bytes = one()
  bytes[AT.magic] = 1
  expect(codeOf(() => readHeader(bytes, 0))).toBe('magic')
})

test.each([
  ['a length below the header', AT.length, 10],
  ['a negative length', AT.length, -1],
  ['a negative count', AT.count, -1],
  ['a negative last offset delta', AT.lastOffsetDelta, -1],
])('%s is corrupt', (_name, at, value) => {
  const bytes = one()
  bytes.writeInt32BE(value, at)
  expect(codeOf(() => readHeader(bytes, 0))).toBe('corrupt')
})

test('offsets, timestamps and producer ids beyond 32 bits are exact', () => {
  const bytes = one()
  writeInt64(bytes, AT.baseOffset, 2 ** 53 - 2)
  writeInt64(bytes, AT.baseTimestamp, -5)
  writeInt64(bytes, AT.producerId, 2 ** 40 + 1)
  expect(read(bytes)).toMatchObject({
    baseOffset: 2 ** 53 - 2,
    lastOffset: 2 ** 53 - 2,
    baseTimestamp: -5,
    producerId: 2 ** 40 + 1,
  })
})

test('an unstamped batch has no producer', () => {
  expect(read(one())).toMatchObject({
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    leaderEpoch: -1,
    transactional: true,
  })
})

const control = (key: Buffer | null): Buffer => {
  const bytes = encode([{ timestamp: 1_700_000_000_000, key, value: Buffer.alloc(6) }])
  bytes.writeInt16BE(ATTRIBUTE.control | ATTRIBUTE.transactional, AT.attributes)
  return bytes
}

test.each([
  ['abort', Buffer.from([0, 0, 0, 0])],
  ['commit', Buffer.from([0, 0, 0, 1])],
  ['other', Buffer.from([0, 0, 0, 2])],
  ['other', Buffer.from([0, 0])],
  ['other', null],
] as const)('a control batch is read as %s', (type, key) => {
  const bytes = control(key)
  const header = read(bytes)
  expect(header.control).toBe(true)
  expect(readControlType(bytes, header)).toBe(type)
})

test('a data batch is no control batch, whatever its key says', () => {
  const bytes = encode([{ timestamp: 1, key: Buffer.from([0, 0, 0, 1]), value: null }])
  expect(readControlType(bytes, read(bytes))).toBe('other')
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecordCursor } from '../../../../cluster/kafka/codec/decode.ts'
import { BatchBuilder } from '../../../../cluster/kafka/codec/encode.ts'
import { CodecError } from '../../../../cluster/kafka/codec/error.ts'
import { readHeader } from '../../../../cluster/kafka/codec/header.ts'
import { HeaderBlock, OriginBlock } from '../../../../cluster/kafka/codec/header-block.ts'
import { AT } from '../../../../cluster/kafka/codec/layout.ts'
import { decodeAll, encodeBatch, type PlainRecord } from '../../../../cluster/kafka/codec/records.ts'
import { formatOrigin, HEADER } from '../../../../cluster/protocol/headers.ts'

const headersOf = (builder: BatchBuilder): string[][] => {
  const batch = builder.finish()
  if (batch === undefined) throw new Error('a batch was expected')
  return decodeAll(Buffer.from(batch.bytes.buffer)).map((r) => r.headers.map(([n, v]) => `${n}=${v}`))
}

const runs = fc.array(fc.tuple(fc.oneof(fc.nat(1200), fc.nat(2 ** 40), fc.maxSafeNat()), fc.nat(30)), {
  minLength: 1,
  maxLength: 8,
})

test('an origin is written as formatOrigin says, whatever offset came before, with other headers behind it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 249 }),
      fc.nat(5000),
      runs,
      fc.boolean(),
      (length, partition, starts, more) => {
        const topic = 't'.repeat(length)
        const offsets = starts.flatMap(([start, steps]) =>
          Array.from({ length: steps + 1 }, (_, i) => Math.min(start + i, Number.MAX_SAFE_INTEGER)),
        )
        const block = new OriginBlock(topic, partition)
        const builder = new BatchBuilder()
        builder.begin(0)
        for (const offset of offsets) {
          if (offset % 7 === 3) {
            block.clear()
            block.add('another use', '0'.repeat(300))
          }
          block.at(offset)
          if (more && offset % 3 === 0) block.add('more', 'x'.repeat(offset % 400))
          builder.append(0, null, 0, 0, null, block)
        }
        const expected = offsets.map((offset) => [
          `${HEADER.origin}=${formatOrigin({ topic, partition, offset })}`,
          ...(more && offset % 3 === 0 ? [`more=${'x'.repeat(offset % 400)}`] : []),
        ])
        expect(headersOf(builder)).toEqual(expected)
      },
    ),
  )
})

const batchOf = (records: PlainRecord[]): Buffer => {
  const batch = encodeBatch(records)
  if (batch === undefined) throw new Error('a batch was expected')
  return Buffer.from(batch.bytes.buffer)
}
const standOn = (bytes: Buffer): RecordCursor => {
  const header = readHeader(bytes, 0)
  if (header === undefined) throw new Error('a whole batch was expected')
  const cursor = new RecordCursor()
  cursor.reset(bytes, header, 1000)
  cursor.next()
  return cursor
}

test('the headers of an input record are copied byte for byte, between others', () => {
  const many = Array.from({ length: 200 }, (_, i): [string, string | null] => [
    `n${i % 3}`,
    i % 5 ? 'v' : null,
  ])
  for (const headers of [many, many.slice(0, 1), []]) {
    const cursor = standOn(batchOf([{ timestamp: 1, key: null, value: null, headers }]))
    const block = new HeaderBlock()
    block.add('before', 'b')
    block.copy(cursor)
    block.add('after', null)
    const builder = new BatchBuilder()
    builder.begin(0)
    builder.append(0, null, 0, 0, null, block)
    expect(headersOf(builder)).toEqual([['before=b', ...headers.map(([n, v]) => `${n}=${v}`), 'after=null']])
  }
})

test('broken headers are not copied', () => {
  const bytes = batchOf([{ timestamp: 1, key: null, value: null, headers: [['name', 'value']] }])
  bytes[AT.records + 7] = 2
  const block = new HeaderBlock()
  expect(() => block.copy(standOn(bytes))).toThrow(CodecError)
  expect(block.length).toBe(0)
})

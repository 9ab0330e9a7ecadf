import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verifyCrc } from '../../../../cluster/kafka/codec/decode.ts'
import { readHeader } from '../../../../cluster/kafka/codec/header.ts'
import { decodeAll, encodeBatch } from '../../../../cluster/kafka/codec/records.ts'
import { stamp } from '../../../../cluster/kafka/codec/stamp.ts'
import { type Header, plainRecords, utf8 } from './arbitraries.ts'
import { Decoder, decodeBatch, type Headers, Long, RecordBatch, Record as record } from './kafkajs-codec.ts'

/** kafkajs keeps headers in an object: the order of names is lost, that of equal names is kept. */
const grouped = (headers: readonly Header[]): Headers => {
  const result: Headers = {}
  for (const name of new Set(headers.map(([n]) => n))) {
    const values = headers.filter(([n]) => n === name).map(([, value]) => value)
    result[name] = values.length === 1 ? (values[0] ?? null) : values
  }
  return result
}

/** Left out: names that every object has, and null values, which kafkajs cannot encode. */
const carried = (headers: readonly Header[]): Header[] =>
  headers.filter(([name]) => !(name in {})).map(([name, value]) => [name, value ?? Buffer.alloc(0)])

const kafkajsRecords = fc
  .tuple(plainRecords, fc.boolean())
  .map(([records]) => records.map((r) => ({ ...r, headers: carried(r.headers) })))

test('kafkajs reads what we encode: every field of every record, and the checksum', async () => {
  await fc.assert(
    fc.asyncProperty(
      kafkajsRecords,
      fc.boolean(),
      fc.nat(2 ** 40),
      fc.nat(32_000),
      async (records, transactional, id, epoch) => {
        const batch = encodeBatch(records, { transactional })
        if (batch === undefined) throw new Error('a batch was expected')
        stamp(batch.bytes, id, epoch, 12)
        const bytes = Buffer.from(batch.bytes.buffer)
        const decoded = await decodeBatch(new Decoder(bytes))
        expect(decoded).toMatchObject({
          firstOffset: '0',
          firstTimestamp: String(records[0]?.timestamp),
          maxTimestamp: String(Math.max(...records.map((r) => r.timestamp))),
          inTransaction: transactional,
          isControlBatch: false,
          lastOffsetDelta: records.length - 1,
          producerId: String(id),
          producerEpoch: epoch,
          firstSequence: 12,
        })
        expect(
          decoded.records.map(({ offset, timestamp, key, value, headers }) => ({
            offset,
            timestamp,
            key,
            value,
            headers,
          })),
        ).toEqual(
          records.map((r, i) => ({
            offset: String(i),
            timestamp: String(r.timestamp),
            key: r.key,
            value: utf8(r.value),
            headers: grouped(r.headers),
          })),
        )
        const header = readHeader(bytes, 0)
        expect(header !== undefined && verifyCrc(bytes, header)).toBe(true)
      },
    ),
  )
})

test('we read what kafkajs encodes, plain and gzipped: every field of header and records', async () => {
  await fc.assert(
    fc.asyncProperty(
      kafkajsRecords,
      fc.constantFrom(0, 1),
      fc.nat(2 ** 52),
      fc.nat(2 ** 30),
      async (records, compression, baseOffset, epoch) => {
        const baseTimestamp = records[0]?.timestamp ?? 0
        const maxTimestamp = Math.max(...records.map((r) => r.timestamp))
        const encoded = await RecordBatch({
          compression,
          firstOffset: Long.fromValue(baseOffset),
          firstTimestamp: baseTimestamp,
          maxTimestamp,
          partitionLeaderEpoch: epoch,
          lastOffsetDelta: records.length - 1,
          transactional: true,
          producerId: Long.fromValue(4_000_000_000),
          producerEpoch: 7,
          firstSequence: 5,
          records: records.map((r, offsetDelta) =>
            record({
              offsetDelta,
              timestampDelta: r.timestamp - baseTimestamp,
              key: r.key,
              value: utf8(r.value),
              headers: grouped(r.headers),
            }),
          ),
        })
        const header = readHeader(encoded.buffer, 0)
        expect(header).toEqual({
          start: 0,
          end: encoded.buffer.length,
          baseOffset,
          lastOffset: baseOffset + records.length - 1,
          leaderEpoch: epoch,
          magic: 2,
          codec: compression,
          transactional: true,
          control: false,
          timestampType: 0,
          baseTimestamp,
          maxTimestamp,
          producerId: 4_000_000_000,
          producerEpoch: 7,
          baseSequence: 5,
          count: records.length,
        })
        expect(header !== undefined && verifyCrc(encoded.buffer, header)).toBe(true)
        const ours = decodeAll(encoded.buffer)
        expect(ours.map((r) => ({ ...r, headers: grouped(r.headers) }))).toEqual(
          records.map((r, i) => ({
            offset: baseOffset + i,
            timestamp: r.timestamp,
            key: r.key,
            value: utf8(r.value),
            headers: grouped(r.headers),
          })),
        )
      },
    ),
  )
})

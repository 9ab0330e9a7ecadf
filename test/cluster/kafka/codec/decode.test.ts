import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecordCursor, readHeaders, verifyCrc } from '../../../../cluster/kafka/codec/decode.ts'
import { CodecError } from '../../../../cluster/kafka/codec/error.ts'
import { readHeader } from '../../../../cluster/kafka/codec/header.ts'
import { AT, ATTRIBUTE, writeInt64 } from '../../../../cluster/kafka/codec/layout.ts'
import { decodeAll, encodeBatch, type PlainRecord } from '../../../../cluster/kafka/codec/records.ts'
import { stamp } from '../../../../cluster/kafka/codec/stamp.ts'
import { plainRecords, utf8 } from './arbitraries.ts'
import { compressed, compressors } from './compressors.ts'

const encode = (records: readonly PlainRecord[]): Buffer => {
  const batch = encodeBatch(records)
  if (batch === undefined) throw new Error('a batch was expected')
  return Buffer.from(batch.bytes.buffer)
}
const two = (): Buffer =>
  encode([
    { timestamp: 5, key: 'a', value: 'first' },
    { timestamp: 9, key: null, value: null },
  ])

test('what is encoded is decoded: nulls, empty and multi-byte texts, repeated and null headers, any timestamp', () => {
  fc.assert(
    fc.property(plainRecords, (records) => {
      const expected = records.map((r, offset) => ({
        offset,
        timestamp: r.timestamp,
        key: r.key,
        value: utf8(r.value),
        headers: r.headers,
      }))
      expect(decodeAll(encode(records))).toEqual(expected)
    }),
  )
})

test.each(Object.keys(compressors))('what is compressed by %s is decoded', (name) => {
  fc.assert(
    fc.property(plainRecords, (records) => {
      const bytes = encode(records)
      expect(decodeAll(compressed(bytes, name))).toEqual(decodeAll(bytes))
    }),
    { numRuns: 30 },
  )
})

test('a batch stamped by the broker gives all records its time', () => {
  const bytes = two()
  bytes.writeInt16BE(ATTRIBUTE.logAppendTime, AT.attributes)
  writeInt64(bytes, AT.maxTimestamp, 1_700_000_000_123)
  expect(decodeAll(bytes).map((r) => r.timestamp)).toEqual([1_700_000_000_123, 1_700_000_000_123])
})

test('control batches hold no data', () => {
  const marker = two()
  marker.writeInt16BE(ATTRIBUTE.control, AT.attributes)
  expect(decodeAll(Buffer.concat([marker, two(), marker]))).toHaveLength(2)
})

test('a batch that compaction emptied is walked to its end at once', () => {
  const bytes = two().subarray(0, AT.records)
  bytes.writeInt32BE(AT.records - 12, AT.length)
  bytes.writeInt32BE(0, AT.count)
  expect(decodeAll(bytes)).toEqual([])
})

test('one cursor serves batch after batch', () => {
  const cursor = new RecordCursor()
  const seen: string[] = []
  for (const bytes of [two(), compressed(two(), 'zstd'), two()]) {
    const header = readHeader(bytes, 0)
    if (header === undefined) throw new Error('a whole batch was expected')
    cursor.reset(bytes, header, 1000)
    while (cursor.next()) seen.push(cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd))
    expect(cursor.next()).toBe(false)
  }
  expect(seen).toEqual(['first', '', 'first', '', 'first', ''])
})

const damaged = (damage: (bytes: Buffer) => void): (() => unknown) => {
  const bytes = two()
  damage(bytes)
  return () => decodeAll(bytes)
}

/** Of the first record: length, attributes, timestamp, offset, key length, key, value length. */
test.each<[string, (bytes: Buffer) => void]>([
  ['a record longer than the batch', (b) => b.writeUInt8(0x7e, AT.records)],
  ['a record of negative length', (b) => b.writeUInt8(1, AT.records)],
  ['a record shorter than its fields', (b) => b.writeUInt8(b.readUInt8(AT.records) - 2, AT.records)],
  ['a key beyond its record', (b) => b.writeUInt8(0x7e, AT.records + 4)],
  ['a value beyond its record', (b) => b.writeUInt8(0x7e, AT.records + 6)],
  ['a count of headers without headers', (b) => b.writeUInt8(4, AT.records + 12)],
  ['more records than there are', (b) => b.writeInt32BE(3, AT.count)],
  ['fewer records than there are', (b) => b.writeInt32BE(1, AT.count)],
  ['an offset twice', (b) => b.writeUInt8(2, AT.records + 3)],
  ['an offset below the first', (b) => b.writeUInt8(1, AT.records + 3)],
  ['an offset beyond the last', (b) => b.writeInt32BE(0, AT.lastOffsetDelta)],
])('%s is corrupt', (_name, damage) => {
  expect(damaged(damage)).toThrow(CodecError)
})

test('a negative count of headers is corrupt, read or not', () => {
  const bytes = encode([{ timestamp: 1, key: null, value: null, headers: [['name', 'value']] }])
  bytes[AT.records + 6] = 1
  const header = readHeader(bytes, 0)
  if (header === undefined) throw new Error('a whole batch was expected')
  const cursor = new RecordCursor()
  cursor.reset(bytes, header, 1000)
  expect(() => cursor.next()).toThrow(CodecError)
})

test('headers that do not fill their record are corrupt when read', () => {
  const bytes = encode([{ timestamp: 1, key: null, value: null, headers: [['name', 'value']] }])
  for (const [at, byte] of [
    [AT.records + 7, 0x01],
    [AT.records + 7, 0x7e],
    [AT.records + 7, 0x02],
  ] as const) {
    const broken = Buffer.from(bytes)
    broken[at] = byte
    expect(() => decodeAll(broken)).toThrow(CodecError)
  }
})

test('the checksum notices any changed byte behind it', () => {
  const bytes = two()
  stamp(bytes, 1, 2, 3)
  const header = readHeader(bytes, 0)
  if (header === undefined) throw new Error('a whole batch was expected')
  expect(verifyCrc(bytes, header)).toBe(true)
  for (let at: number = AT.crc; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 0x10
    expect(verifyCrc(changed, header)).toBe(false)
  }
})

/** Walks everything; whatever the bytes say, each position must lie inside them. */
const walk = (bytes: Buffer): void => {
  const cursor = new RecordCursor()
  for (let header = readHeader(bytes, 0); header !== undefined; header = readHeader(bytes, header.end)) {
    cursor.reset(bytes, header, 1 << 20)
    const end = header.codec === 0 ? header.end : cursor.bytes.length
    while (cursor.next()) {
      const { keyStart, keyEnd, valueStart, valueEnd, headersStart, headersEnd } = cursor
      for (const position of [keyStart, keyEnd, valueStart, valueEnd]) {
        expect(position).toBeGreaterThanOrEqual(-1)
        expect(position).toBeLessThanOrEqual(end)
      }
      expect(keyStart).toBeLessThanOrEqual(keyEnd)
      expect(valueStart).toBeLessThanOrEqual(valueEnd)
      expect(headersStart).toBeLessThanOrEqual(headersEnd)
      expect(headersEnd).toBeLessThanOrEqual(end)
      readHeaders(cursor)
    }
  }
}

const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 })

test.each(['none', ...Object.keys(compressors)])(
  'random damage (%s) ends in records or in a CodecError, never elsewhere',
  (name) => {
    fc.assert(
      fc.property(plainRecords, damage, (records, changes) => {
        const bytes = name === 'none' ? encode(records) : compressed(encode(records), name)
        for (const [at, byte] of changes) bytes[AT.magic + 1 + (at % (bytes.length - AT.magic - 1))] = byte
        try {
          walk(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError)
        }
      }),
      { numRuns: 300 },
    )
  },
)

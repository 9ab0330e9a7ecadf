/**
 * What a record costs in the codec, in microseconds: `node bench/codec.ts [records]`. kafkajs's own codec for comparison.
 * The best of several rounds: the rest is other processes on the machine.
 */
import { createRequire } from 'node:module'
import { RecordCursor, verifyCrc } from '../cluster/kafka/codec/decode.ts'
import { BatchBuilder } from '../cluster/kafka/codec/encode.ts'
import { type BatchHeader, readHeader } from '../cluster/kafka/codec/header.ts'
import { HeaderBlock, OriginBlock } from '../cluster/kafka/codec/header-block.ts'
import { murmur2Partition } from '../cluster/kafka/codec/murmur2.ts'
import { stamp } from '../cluster/kafka/codec/stamp.ts'

const records = Number(process.argv[2] ?? 2500)
const rounds = 400
const base = 1_700_000_000_000

const value = (i: number, city: string): string =>
  JSON.stringify({
    user_id: '2cbb1e92-7d3b-4bd4-a2a2-6a1e6a3f0c11',
    app_version: '2.3.0',
    device_type: i % 2 === 0 ? 'android' : 'iOS',
    ip: '10.21.*.*',
    locale: city,
    device_id: '************a1b2',
    timestamp: base + i,
    login_time: '2023-09-12T01:44:55.000Z',
    latency_ms: i,
  })
const ascii = Array.from({ length: records }, (_, i) => value(i, 'RI'))
const accented = Array.from({ length: records }, (_, i) => value(i, 'Orléans'))
const keys = ascii.map((_, i) => Buffer.from(`2cbb1e92-7d3b-4bd4-a2a2-${String(i).padStart(12, '0')}`))

const report = (name: string, microseconds: number): void =>
  console.log(`${name.padEnd(44)} ${microseconds.toFixed(3)} us/record`)

const measure = (name: string, run: () => void): void => {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    run()
    best = Math.min(best, performance.now() - start)
  }
  report(name, (best * 1000) / records)
}

const builder = new BatchBuilder()
const encode = (values: readonly string[], origin?: OriginBlock, more = false): Buffer => {
  builder.begin(base)
  for (let i = 0; i < values.length; i++) {
    const key = keys[i] ?? null
    origin?.at(1_000_000 + i)
    if (more) origin?.add('millrace-late', 'hours')
    builder.append(base + i, key, 0, key?.length ?? 0, values[i] ?? null, origin)
  }
  const batch = builder.finish()
  if (batch === undefined) throw new Error('nothing to encode')
  return Buffer.from(batch.bytes.buffer)
}

const origin = new OriginBlock('user-login', 3)
const headerOf = (bytes: Buffer): BatchHeader => {
  const header = readHeader(bytes, 0)
  if (header === undefined) throw new Error('a whole batch was expected')
  return header
}

const plain = encode(ascii)
const marked = encode(ascii, origin)
const cursor = new RecordCursor()
let sum = 0
const walk = (bytes: Buffer): void => {
  cursor.reset(bytes, headerOf(bytes), 1 << 26)
  while (cursor.next()) sum += cursor.valueEnd - cursor.valueStart + cursor.offset
}

console.log(`${records} records a batch, values of ${ascii[0]?.length} bytes, keys of 36`)
measure('walk', () => walk(plain))
measure('walk, with an origin header', () => walk(marked))
measure('walk and values as strings', () => {
  cursor.reset(plain, headerOf(plain), 1 << 26)
  while (cursor.next()) sum += cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd).length
})
const target = Buffer.alloc(1024) as Buffer & { utf8Write(text: string, at: number, length: number): number }
measure('utf8Write alone', () => {
  for (const text of ascii) sum += target.utf8Write(text, 7, 1000)
})
measure('encode', () => encode(ascii))
measure('encode, with an origin header', () => encode(ascii, origin))
measure('encode, with an origin and another header', () => encode(ascii, origin, true))
measure('encode, values not ASCII', () => encode(accented, origin))
const raw = ascii.map((text) => Buffer.from(text))
const letter = new HeaderBlock()
measure('encode, value bytes and headers copied', () => {
  builder.begin(base)
  cursor.reset(marked, headerOf(marked), 1 << 26)
  for (let i = 0; cursor.next(); i++) {
    letter.clear()
    letter.copy(cursor)
    letter.add('millrace-error-code', 'not-json')
    builder.append(cursor.timestamp, cursor.bytes, cursor.keyStart, cursor.keyEnd, raw[i] ?? null, letter)
  }
  builder.finish()
})
measure('stamp (CRC-32C)', () => stamp(marked, 1, 0, 0))
measure('verify (CRC-32C)', () => void verifyCrc(marked, headerOf(marked)))
measure('murmur2 of the key', () => {
  for (const key of keys) sum += murmur2Partition(key, 0, key.length, 12)
})

interface Encoder {
  readonly buffer: Buffer
}
const require = createRequire(import.meta.url)
const deep = 'kafkajs/src/protocol'
const { RecordBatch } = require(`${deep}/recordBatch/v0/index.js`) as {
  RecordBatch(input: object): Promise<Encoder>
}
const encodeRecord = require(`${deep}/recordBatch/record/v0/index.js`) as (input: object) => Encoder
const decodeBatch = require(`${deep}/recordBatch/v0/decoder.js`) as (decoder: unknown) => Promise<unknown>
const Decoder = require(`${deep}/decoder.js`) as new (bytes: Buffer) => unknown

const timed = async (name: string, run: () => Promise<unknown>): Promise<void> => {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 30; round++) {
    const start = performance.now()
    await run()
    best = Math.min(best, performance.now() - start)
  }
  report(name, (best * 1000) / records)
}
await timed('kafkajs: decode', () => decodeBatch(new Decoder(plain)))
await timed('kafkajs: encode, with checksum', () =>
  RecordBatch({
    firstTimestamp: base,
    maxTimestamp: base,
    lastOffsetDelta: records - 1,
    records: ascii.map((text, i) =>
      encodeRecord({ offsetDelta: i, timestampDelta: i, key: keys[i], value: text, headers: {} }),
    ),
  }),
)
if (sum === 0) throw new Error('nothing was read')

/** Records of an output topic as documents: pure. What no index could take is told apart here, before it is sent. */
import { type DecodedRecord, decodeAll } from '../cluster/kafka/codec/records.ts'
import type { Chunk } from '../cluster/kafka/ports.ts'
import type { Origin } from '../cluster/protocol/headers.ts'
import { decodeObject, fails } from '../pipelines/api/decode.ts'
import { isVerdict, type Verdict } from '../pipelines/api/outcome.ts'

export interface SourceRecord extends DecodedRecord {
  readonly origin: Origin
}

export interface Document {
  /** `topic-partition-offset`: whoever writes the record again writes the same document. */
  readonly id: string
  /** JSON in one line. */
  readonly source: Buffer
  readonly record: SourceRecord
}

/** Why a record is no document, or was refused as one. The reason repeats no value of the record. */
export interface Rejection {
  readonly record: SourceRecord
  readonly code: string
  readonly reason: string
}

export interface DocumentLimits {
  /** A larger value is rejected. */
  readonly recordBytes: number
  /** Bound on one decompressed batch. */
  readonly decompressedBytes: number
}

/** One batch is decompressed at a time. @throws CodecError where a batch cannot be read */
export function* documentsOf(
  topic: string,
  chunk: Chunk,
  limits: DocumentLimits,
): Generator<Document | Rejection> {
  const { partition, bytes, from, next } = chunk
  for (const { start, end } of chunk.batches)
    for (const record of decodeAll(bytes.subarray(start, end), limits.decompressedBytes)) {
      // The first batch may begin before what was asked for, the last may end behind the bound.
      if (record.offset < from || record.offset >= next) continue
      yield documentOf({ ...record, origin: { topic, partition, offset: record.offset } }, limits)
    }
}

const documentOf = (record: SourceRecord, limits: DocumentLimits): Document | Rejection => {
  const { value, origin } = record
  if (value === null) return rejectionBy(record, fails('tombstone'))
  const decoded = decodeObject(value, 0, value.length, limits.recordBytes)
  if (isVerdict(decoded)) return rejectionBy(record, decoded)
  return { id: `${origin.topic}-${origin.partition}-${origin.offset}`, source: oneLine(value), record }
}

const rejectionBy = (record: SourceRecord, verdict: Verdict): Rejection => ({
  record,
  code: verdict.code,
  reason: verdict.outcome === 'drop' ? '' : verdict.message,
})

const LINE_FEED = 0x0a
const SPACE = 0x20

/** In JSON a line feed can only stand between tokens: within a string it is escaped. */
const oneLine = (json: Buffer): Buffer =>
  json.includes(LINE_FEED) ? Buffer.from(json.map((byte) => (byte === LINE_FEED ? SPACE : byte))) : json

export const isRejection = (one: Document | Rejection): one is Rejection => 'reason' in one

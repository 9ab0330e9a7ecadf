/** Record batches as a broker would answer them, and chunks of them. */

import { AT, writeInt64 } from '../../../cluster/kafka/codec/layout.ts'
import {
  type DecodedRecord,
  decodeAll,
  encodeBatch,
  type PlainRecord,
} from '../../../cluster/kafka/codec/records.ts'
import { stamp } from '../../../cluster/kafka/codec/stamp.ts'
import { visibleBatches } from '../../../cluster/kafka/filter.ts'
import type { Chunk } from '../../../cluster/kafka/ports.ts'
import { compressed } from '../../cluster/kafka/codec/compressors.ts'

export const NOW = Date.UTC(2026, 0, 1, 12)

export interface BatchShape {
  readonly baseOffset: number
  /** One of `compressors`. */
  readonly codec?: string
  readonly leaderEpoch?: number
  /** Offsets that compaction has emptied behind the last record. */
  readonly holes?: number
}

export const record = (value: unknown, more: Partial<PlainRecord> = {}): PlainRecord => ({
  timestamp: NOW,
  key: null,
  value:
    value === null || typeof value === 'string' || value instanceof Uint8Array
      ? value
      : JSON.stringify(value),
  ...more,
})

const NO_PRODUCER = -1

export const brokerBatch = (records: readonly PlainRecord[], shape: BatchShape): Buffer => {
  const encoded = encodeBatch(records, { transactional: false })
  if (encoded === undefined) throw new Error('a batch needs a record')
  const plain = Buffer.from(encoded.bytes)
  const bytes = shape.codec === undefined ? plain : compressed(plain, shape.codec)
  writeInt64(bytes, AT.baseOffset, shape.baseOffset)
  bytes.writeInt32BE(shape.leaderEpoch ?? 0, AT.leaderEpoch)
  bytes.writeInt32BE(bytes.readInt32BE(AT.lastOffsetDelta) + (shape.holes ?? 0), AT.lastOffsetDelta)
  stamp(bytes, NO_PRODUCER, NO_PRODUCER, NO_PRODUCER)
  return bytes
}

/** What a fetch at `from` brings. */
export const chunkOf = (partition: number, from: number, ...batches: readonly Buffer[]): Chunk => {
  const bytes = Buffer.concat(batches)
  const visible = visibleBatches(bytes, from, [])
  const { next, records, leaderEpoch } = visible
  return {
    partition,
    from,
    next,
    bytes,
    batches: visible.batches,
    records,
    leaderEpoch,
    lastStableOffset: next,
  }
}

/** A chunk of one batch that begins at `from`. */
export const chunk = (partition: number, from: number, ...values: readonly unknown[]): Chunk =>
  chunkOf(
    partition,
    from,
    brokerBatch(
      values.map((value) => record(value)),
      { baseOffset: from },
    ),
  )

/** Only control or aborted batches were there: nothing is visible. */
export const invisible = (partition: number, from: number, next: number): Chunk => ({
  partition,
  from,
  next,
  bytes: Buffer.alloc(100),
  batches: [],
  records: 0,
  leaderEpoch: 0,
  lastStableOffset: next,
})

export const decoded = (batches: readonly { readonly bytes: Uint8Array }[]): DecodedRecord[] =>
  batches.flatMap(({ bytes }) => decodeAll(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)))

export const headerOf = ({ headers }: DecodedRecord, name: string): string | undefined =>
  headers.find(([found]) => found === name)?.[1]?.toString()

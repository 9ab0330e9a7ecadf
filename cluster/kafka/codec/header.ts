/**
 * The 61 bytes in front of a record batch: all that the main thread reads of it.
 * Throws CodecError: `magic` for an older message format, `corrupt` where the header contradicts itself.
 */
import { CodecError } from './error.ts'
import { AT, ATTRIBUTE, LOG_OVERHEAD, readInt64 } from './layout.ts'
import { VarintReader } from './varint.ts'

export interface BatchHeader {
  /** First byte of the batch in its buffer, and the byte after its last. */
  readonly start: number
  readonly end: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly magic: number
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number
  readonly transactional: boolean
  readonly control: boolean
  /** 0 create time, 1 log append time. */
  readonly timestampType: 0 | 1
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  /** -1 where the producer is not idempotent. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  /** Records it holds; compaction may leave fewer than the offsets it spans, even none. */
  readonly count: number
}

/** Undefined where fewer bytes remain than the batch says: the broker may cut the last batch of a fetch. */
export const readHeader = (bytes: Buffer, at: number): BatchHeader | undefined => {
  if (at + AT.crc > bytes.length) return undefined
  const magic = bytes.readInt8(at + AT.magic)
  if (magic !== 2) throw new CodecError('magic', `a batch of message format ${magic}, only 2 is supported`)
  const end = at + LOG_OVERHEAD + bytes.readInt32BE(at + AT.length)
  if (end < at + AT.records) throw new CodecError('corrupt', 'a batch says it is shorter than its header')
  if (end > bytes.length) return undefined

  const baseOffset = readInt64(bytes, at + AT.baseOffset)
  const lastOffsetDelta = bytes.readInt32BE(at + AT.lastOffsetDelta)
  const count = bytes.readInt32BE(at + AT.count)
  if (lastOffsetDelta < 0 || count < 0) {
    throw new CodecError(
      'corrupt',
      `a batch of ${count} records whose last offset delta is ${lastOffsetDelta}`,
    )
  }
  const attributes = bytes.readInt16BE(at + AT.attributes)
  return {
    start: at,
    end,
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    leaderEpoch: bytes.readInt32BE(at + AT.leaderEpoch),
    magic,
    codec: attributes & ATTRIBUTE.codec,
    transactional: (attributes & ATTRIBUTE.transactional) !== 0,
    control: (attributes & ATTRIBUTE.control) !== 0,
    timestampType: (attributes & ATTRIBUTE.logAppendTime) === 0 ? 0 : 1,
    baseTimestamp: readInt64(bytes, at + AT.baseTimestamp),
    maxTimestamp: readInt64(bytes, at + AT.maxTimestamp),
    producerId: readInt64(bytes, at + AT.producerId),
    producerEpoch: bytes.readInt16BE(at + AT.producerEpoch),
    baseSequence: bytes.readInt32BE(at + AT.baseSequence),
    count,
  }
}

/** The first record's key, read up to its type: version int16, type int16. Control batches are never compressed. */
class ControlKey extends VarintReader {
  type(bytes: Buffer, header: BatchHeader): number {
    this.bytes = bytes
    this.pos = header.start + AT.records
    this.varint()
    this.pos += 1
    this.varlong()
    this.varint()
    const length = this.varint()
    return length < 4 || this.pos + 4 > header.end ? -1 : bytes.readInt16BE(this.pos + 2)
  }
}

/** What a control batch says of its producer's transaction. `other`: a marker we need not know. */
export const readControlType = (bytes: Buffer, header: BatchHeader): 'abort' | 'commit' | 'other' => {
  if (!header.control || header.count === 0) return 'other'
  const type = new ControlKey().type(bytes, header)
  return type === 0 ? 'abort' : type === 1 ? 'commit' : 'other'
}

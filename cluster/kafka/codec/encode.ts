/**
 * Builds one batch after the other in a buffer that is kept. Unstamped: producer fields are -1, the checksum is 0;
 * the writer stamps them (stamp.ts). Batches are never compressed: producing costs our CPU, not the network's.
 *
 * Law: `size` never passes `limit`. `append` answers false, and leaves no trace, where the record would pass it:
 * the caller finishes the batch and appends again; false on an empty batch means that the record can never be written.
 */
import { copyBytes, grown, writeText } from './bytes.ts'
import type { HeaderBlock } from './header-block.ts'
import { AT, ATTRIBUTE, LOG_OVERHEAD, writeInt64 } from './layout.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts'

/** A batch, encoded and unstamped, in an ArrayBuffer of its own: it can be transferred to another thread. */
export interface EncodedBatch {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly count: number
  readonly maxTimestamp: number
}

export interface BatchOptions {
  /** Most bytes of a batch, as the topic's `max.message.bytes` counts them. */
  readonly limit?: number
  readonly transactional?: boolean
}

type Value = string | Uint8Array | null

/** Most bytes of a record that are not key, value or headers: six varints, the attributes. */
const RECORD_OVERHEAD = 36
/** Longer texts are measured rather than given three bytes a character. */
const LONG_TEXT = 16_384

const roomFor = (value: Value): number => {
  if (value === null) return 0
  if (typeof value !== 'string') return value.length
  return value.length < LONG_TEXT ? value.length * 3 : Buffer.byteLength(value)
}

export class BatchBuilder {
  /** Bytes of the batch so far, its header included. */
  size: number = AT.records
  count = 0
  private bytes: Buffer = Buffer.allocUnsafeSlow(65_536)
  private baseTimestamp = 0
  private maxTimestamp = Number.NEGATIVE_INFINITY
  private readonly limit: number
  private readonly attributes: number

  constructor(options: BatchOptions = {}) {
    this.limit = options.limit ?? Number.POSITIVE_INFINITY
    this.attributes = options.transactional === false ? 0 : ATTRIBUTE.transactional
  }

  /** Starts a batch; what was not finished is forgotten. Timestamps near the base take fewer bytes. */
  begin(baseTimestamp: number): void {
    this.size = AT.records
    this.count = 0
    this.baseTimestamp = baseTimestamp
    this.maxTimestamp = Number.NEGATIVE_INFINITY
  }

  /** The key is `key[keyStart, keyEnd)`; null where `key` is null or `keyStart` is negative, as a cursor's fields are. */
  append(
    timestamp: number,
    key: Uint8Array | null,
    keyStart: number,
    keyEnd: number,
    value: Value,
    headers?: HeaderBlock,
  ): boolean {
    const keyLength = key === null || keyStart < 0 ? -1 : keyEnd - keyStart
    const around = Math.max(keyLength, 0) + (headers === undefined ? 0 : headers.length)
    if (this.size + around + (value === null ? 0 : value.length) > this.limit) return false
    this.bytes = grown(this.bytes, this.size, this.size + RECORD_OVERHEAD + around + roomFor(value))

    const afterValue = around - Math.max(keyLength, 0) + varintSize(headers === undefined ? 0 : headers.count)
    let end = this.upToValue(timestamp - this.baseTimestamp, key, keyStart, keyLength, value, afterValue)
    end = writeVarint(this.bytes, end, headers === undefined ? 0 : headers.count)
    if (headers !== undefined) end = copyBytes(headers.bytes, 0, headers.length, this.bytes, end)
    if (end > this.limit) return false
    this.size = end
    this.count++
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    return true
  }

  /**
   * Two lengths stand in front of the value. A text is written at once as if each character took one byte;
   * where the bytes written say otherwise, the lengths are mended, or all is written once more if they grew wider.
   */
  private upToValue(
    delta: number,
    key: Uint8Array | null,
    keyStart: number,
    keyLength: number,
    value: Value,
    afterValue: number,
  ): number {
    const { bytes, count, size } = this
    const body = 1 + varlongSize(delta) + varintSize(count) + varintSize(keyLength) + Math.max(keyLength, 0)
    const total = (length: number): number => body + varintSize(length) + Math.max(length, 0) + afterValue
    let length = value === null ? -1 : value.length
    for (;;) {
      let pos = writeVarint(bytes, size, total(length))
      bytes[pos++] = 0
      pos = writeVarlong(bytes, pos, delta)
      pos = writeVarint(bytes, pos, count)
      pos = writeVarint(bytes, pos, keyLength)
      if (key !== null && keyLength > 0) pos = copyBytes(key, keyStart, keyStart + keyLength, bytes, pos)
      const lengthAt = pos
      pos = writeVarint(bytes, pos, length)
      if (value === null) return pos
      if (typeof value !== 'string') return copyBytes(value, 0, length, bytes, pos)
      const written = writeText(bytes, value, pos)
      if (written === length || this.mend(lengthAt, length, total(length), written, total(written))) {
        return pos + written
      }
      length = written
    }
  }

  /** Replaces the lengths of value and record; false where the new ones are wider. */
  private mend(lengthAt: number, length: number, total: number, written: number, newTotal: number): boolean {
    if (varintSize(written) > varintSize(length) || varintSize(newTotal) > varintSize(total)) return false
    writeVarint(this.bytes, lengthAt, written)
    writeVarint(this.bytes, this.size, newTotal)
    return true
  }

  /** The batch as bytes of its own, and an empty builder with the same base timestamp; undefined where it holds no record. */
  finish(): EncodedBatch | undefined {
    if (this.count === 0) return undefined
    const { count, maxTimestamp, size } = this
    this.header()
    const bytes = Buffer.allocUnsafeSlow(size)
    this.bytes.copy(bytes, 0, 0, size)
    this.begin(this.baseTimestamp)
    return { bytes, count, maxTimestamp }
  }

  private header(): void {
    const { bytes } = this
    writeInt64(bytes, AT.baseOffset, 0)
    bytes.writeInt32BE(this.size - LOG_OVERHEAD, AT.length)
    bytes.writeInt32BE(-1, AT.leaderEpoch)
    bytes.writeInt8(2, AT.magic)
    bytes.writeUInt32BE(0, AT.crc)
    bytes.writeInt16BE(this.attributes, AT.attributes)
    bytes.writeInt32BE(this.count - 1, AT.lastOffsetDelta)
    writeInt64(bytes, AT.baseTimestamp, this.baseTimestamp)
    writeInt64(bytes, AT.maxTimestamp, this.maxTimestamp)
    writeInt64(bytes, AT.producerId, -1)
    bytes.writeInt16BE(-1, AT.producerEpoch)
    bytes.writeInt32BE(-1, AT.baseSequence)
    bytes.writeInt32BE(this.count, AT.count)
  }
}

/**
 * Walks the records of one batch without an object per record: the cursor's fields are positions in `bytes`.
 *
 * Laws: `next()` is true exactly `header.count` times; offsets rise strictly and stay within the header's;
 * every position lies inside the batch; anything else is CodecError `corrupt`, never an endless loop.
 */
import { crc32c } from '@node-rs/crc32'
import { decompress } from './compression.ts'
import { CodecError } from './error.ts'
import type { BatchHeader } from './header.ts'
import { AT } from './layout.ts'
import { VarintReader } from './varint.ts'

const corrupt = (detail: string): CodecError => new CodecError('corrupt', detail)

export class RecordCursor extends VarintReader {
  offset = 0
  timestamp = 0
  /** -1, -1: null. */
  keyStart = -1
  keyEnd = -1
  valueStart = -1
  valueEnd = -1
  headerCount = 0
  headersStart = 0
  headersEnd = 0
  private end = 0
  private left = 0
  private baseOffset = 0
  private lastOffset = 0
  private baseTimestamp = 0
  /** Where the broker stamped the batch, all its records have that time. */
  private appendTimestamp = 0
  private stamped = false

  /** `maxBytes` bounds what a compressed batch may become. */
  reset(bytes: Buffer, header: BatchHeader, maxBytes: number): void {
    const start = header.start + AT.records
    const plain = header.codec === 0
    this.bytes = plain ? bytes : decompress(header.codec, bytes.subarray(start, header.end), maxBytes)
    this.pos = plain ? start : 0
    this.end = plain ? header.end : this.bytes.length
    this.left = header.count
    this.baseOffset = header.baseOffset
    this.lastOffset = header.lastOffset
    this.baseTimestamp = header.baseTimestamp
    this.appendTimestamp = header.maxTimestamp
    this.stamped = header.timestampType === 1
    this.offset = header.baseOffset - 1
  }

  next(): boolean {
    if (this.left === 0) return this.finished()
    this.left--
    const length = this.varint()
    const end = this.pos + length
    if (end > this.end) throw corrupt('a record reaches beyond its batch')
    this.pos++ // attributes: none are defined
    const delta = this.varlong()
    this.timestamp = this.stamped ? this.appendTimestamp : this.baseTimestamp + delta
    const offset = this.baseOffset + this.varint()
    if (offset <= this.offset || offset > this.lastOffset) throw corrupt('offsets of a batch do not rise')
    this.offset = offset
    this.fields(end)
    return true
  }

  private fields(end: number): void {
    const keyLength = this.varint()
    this.keyStart = keyLength < 0 ? -1 : this.pos
    this.keyEnd = keyLength < 0 ? -1 : this.pos + keyLength
    if (keyLength > 0) this.pos += keyLength
    const valueLength = this.varint()
    this.valueStart = valueLength < 0 ? -1 : this.pos
    this.valueEnd = valueLength < 0 ? -1 : this.pos + valueLength
    if (valueLength > 0) this.pos += valueLength
    this.headerCount = this.varint()
    this.headersStart = this.pos
    this.headersEnd = end
    // One test for all (a negative length too): positions only grew, so each lies below this one.
    const exact = this.headerCount === 0 ? this.pos === end : this.headerCount > 0 && this.pos < end
    if (!exact) throw corrupt('a record is not as long as it says')
    this.pos = end
  }

  private finished(): boolean {
    if (this.pos !== this.end) throw corrupt('bytes remain behind the last record of a batch')
    return false
  }
}

/** The headers of a record, read one by one. */
/** Where the headers of one record stand. */
export interface HeaderSpan {
  readonly bytes: Buffer
  readonly headerCount: number
  readonly headersStart: number
  readonly headersEnd: number
}

class HeaderWalk extends VarintReader {
  read(cursor: HeaderSpan): [string, Buffer | null][] {
    this.bytes = cursor.bytes
    this.pos = cursor.headersStart
    const headers: [string, Buffer | null][] = []
    for (let i = 0; i < cursor.headerCount; i++) {
      const name = this.slice(cursor.headersEnd)
      if (name === null) throw corrupt('a header without a name')
      headers.push([name.toString('utf8'), this.slice(cursor.headersEnd)])
    }
    if (this.pos !== cursor.headersEnd) throw corrupt('bytes remain behind the last header of a record')
    return headers
  }

  private slice(end: number): Buffer | null {
    const length = this.varint()
    if (this.pos + Math.max(length, 0) > end) throw corrupt('a header reaches beyond its record')
    if (length < 0) return null
    const start = this.pos
    this.pos += length
    return this.bytes.subarray(start, this.pos)
  }
}

/** The headers of the record the cursor stands on, in their order, names repeated as written. */
export const readHeaders = (cursor: HeaderSpan): [string, Buffer | null][] =>
  cursor.headerCount === 0 ? [] : new HeaderWalk().read(cursor)

export const verifyCrc = (bytes: Buffer, header: BatchHeader): boolean =>
  crc32c(bytes.subarray(header.start + AT.attributes, header.end)) ===
  bytes.readUInt32BE(header.start + AT.crc)

/**
 * The headers of one record as encoded bytes, reused from record to record: built once, copied into the batch as a whole.
 */
import { HEADER } from '../../protocol/headers.ts'
import { copyBytes, grown } from './bytes.ts'
import { type HeaderSpan, readHeaders } from './decode.ts'
import { varintSize, writeVarint } from './varint.ts'

const MAX_VARINT = 5

export class HeaderBlock {
  bytes: Buffer = Buffer.allocUnsafeSlow(256)
  /** Bytes in use, and the headers they hold. */
  length = 0
  count = 0

  clear(): void {
    this.length = 0
    this.count = 0
  }

  add(name: string | Uint8Array, value: string | Uint8Array | null): void {
    const nameBytes = typeof name === 'string' ? Buffer.from(name) : name
    const valueBytes = typeof value === 'string' ? Buffer.from(value) : value
    const size = nameBytes.length + (valueBytes?.length ?? 0) + 2 * MAX_VARINT
    this.bytes = grown(this.bytes, this.length, this.length + size)
    let pos = writeVarint(this.bytes, this.length, nameBytes.length)
    pos = copyBytes(nameBytes, 0, nameBytes.length, this.bytes, pos)
    pos = writeVarint(this.bytes, pos, valueBytes === null ? -1 : valueBytes.length)
    if (valueBytes !== null) pos = copyBytes(valueBytes, 0, valueBytes.length, this.bytes, pos)
    this.length = pos
    this.count++
  }

  /** The headers of the record the cursor stands on, as they are. Throws CodecError `corrupt` rather than copy broken ones. */
  copy(cursor: HeaderSpan): void {
    if (readHeaders(cursor).length === 0) return
    const size = cursor.headersEnd - cursor.headersStart
    this.bytes = grown(this.bytes, this.length, this.length + size)
    this.length = copyBytes(cursor.bytes, cursor.headersStart, cursor.headersEnd, this.bytes, this.length)
    this.count += cursor.headerCount
  }
}

const NAME = Buffer.from(HEADER.origin)
const ZERO = 0x30
const NINE = 0x39
/** No offset follows it. */
const NONE = -2

/**
 * A block that begins with the origin. Topic and partition are fixed and most offsets follow each other,
 * so that usually one digit is all that changes.
 */
export class OriginBlock extends HeaderBlock {
  /** `topic/partition/` */
  private readonly prefix: Buffer
  private offset = NONE
  /** The bytes of the digits, and the offset they have no room for. */
  private from = 0
  private to = 0
  private full = 0

  constructor(topic: string, partition: number) {
    super()
    this.prefix = Buffer.from(`${topic}/${partition}/`)
  }

  override clear(): void {
    super.clear()
    this.offset = NONE
    this.full = 0
  }

  /** Begins the headers of a record anew: its origin, nothing else yet. */
  at(offset: number): void {
    const last = this.bytes[this.to - 1] ?? NINE
    if (offset === this.offset + 1 && last < NINE) this.bytes[this.to - 1] = last + 1
    else this.write(offset)
    this.offset = offset
    this.length = this.to
    this.count = 1
  }

  private write(offset: number): void {
    if (offset >= this.full || offset * 10 < this.full) this.layOut(offset)
    let rest = offset
    for (let pos = this.to - 1; pos >= this.from; pos--) {
      const tenth = Math.floor(rest / 10)
      this.bytes[pos] = ZERO + (rest - tenth * 10)
      rest = tenth
    }
  }

  /** Everything but the digits: again only when their number changes, and with it the length of the value. */
  private layOut(offset: number): void {
    const digits = String(offset).length
    const value = this.prefix.length + digits
    this.bytes = grown(this.bytes, 0, 1 + NAME.length + varintSize(value) + value)
    let pos = writeVarint(this.bytes, 0, NAME.length)
    pos = copyBytes(NAME, 0, NAME.length, this.bytes, pos)
    pos = writeVarint(this.bytes, pos, value)
    this.from = copyBytes(this.prefix, 0, this.prefix.length, this.bytes, pos)
    this.to = this.from + digits
    this.full = 10 ** digits
  }
}

/** Kafka's primitive types on a growing buffer: classic and flexible (compact) forms. Source: kafka.apache.org/protocol. */

const SEGMENT_BYTES = 4096

export class ByteWriter {
  #bytes: Buffer
  #at = 0
  /** Where the bytes since the last segment begin. */
  #from = 0
  readonly #segments: Uint8Array[] = []
  constructor(size = 256) {
    this.#bytes = Buffer.allocUnsafe(size)
  }
  #reserve(size: number): number {
    const at = this.#at
    if (at + size > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, at + size))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#at = at + size
    return at
  }
  int8(value: number): this {
    const at = this.#reserve(1)
    this.#bytes.writeInt8(value, at)
    return this
  }
  int16(value: number): this {
    const at = this.#reserve(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }
  int32(value: number): this {
    const at = this.#reserve(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }
  /** Exact to 2^53. */
  int64(value: number): this {
    const at = this.#reserve(8)
    this.#bytes.writeBigInt64BE(BigInt(value), at)
    return this
  }
  bool(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }
  /** Long bytes are not copied: they become a segment of their own. */
  raw(value: Uint8Array): this {
    if (value.length >= SEGMENT_BYTES) {
      this.#segments.push(this.#bytes.subarray(this.#from, this.#at), value)
      this.#from = this.#at
      return this
    }
    const at = this.#reserve(value.length)
    this.#bytes.set(value, at)
    return this
  }
  uvarint(value: number): this {
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.int8Unsigned((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    return this.int8Unsigned(rest)
  }
  int8Unsigned(value: number): this {
    const at = this.#reserve(1)
    this.#bytes[at] = value
    return this
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    return this.int16(Buffer.byteLength(value)).raw(Buffer.from(value))
  }
  bytes(value: Uint8Array): this {
    return this.int32(value.length).raw(value)
  }
  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length)
    for (const item of items) write(item)
    return this
  }
  compactString(value: string | null): this {
    if (value === null) return this.uvarint(0)
    return this.uvarint(Buffer.byteLength(value) + 1).raw(Buffer.from(value))
  }
  compactArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.uvarint(items.length + 1)
    for (const item of items) write(item)
    return this
  }
  /** A topic id as kafka prints it: 16 bytes in base64url. */
  uuid(value: string): this {
    return this.raw(Buffer.from(value, 'base64url'))
  }
  /** No tagged fields; also the end of a flexible request header. */
  tags(): this {
    return this.int8Unsigned(0)
  }
  /** What was written, in order; long bytes as they were given. */
  segments(): readonly Uint8Array[] {
    return [...this.#segments, this.#bytes.subarray(this.#from, this.#at)]
  }
  /** In one piece. */
  done(): Buffer {
    return this.#segments.length === 0 ? this.#bytes.subarray(0, this.#at) : Buffer.concat(this.segments())
  }
}

/** Reads what a broker sent. A reply that ends early throws RangeError (from Buffer itself). */
export class ByteReader {
  readonly source: Buffer
  at: number
  constructor(source: Buffer, at = 0) {
    this.source = source
    this.at = at
  }
  int8(): number {
    this.at += 1
    return this.source.readInt8(this.at - 1)
  }
  int16(): number {
    this.at += 2
    return this.source.readInt16BE(this.at - 2)
  }
  int32(): number {
    this.at += 4
    return this.source.readInt32BE(this.at - 4)
  }
  int64(): number {
    this.at += 8
    return Number(this.source.readBigInt64BE(this.at - 8))
  }
  bool(): boolean {
    return this.int8() !== 0
  }
  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.source.readUInt8(this.at++)
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('varint longer than 5 bytes')
  }
  slice(size: number): Buffer {
    if (this.at + size > this.source.length) throw new RangeError('reply ends early')
    this.at += size
    return this.source.subarray(this.at - size, this.at)
  }
  string(): string | null {
    const size = this.int16()
    return size < 0 ? null : this.slice(size).toString()
  }
  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }
  compactString(): string | null {
    const size = this.uvarint()
    return size === 0 ? null : this.slice(size - 1).toString()
  }
  compactBytes(): Buffer {
    const size = this.uvarint()
    return size === 0 ? this.source.subarray(this.at, this.at) : this.slice(size - 1)
  }
  compactArray<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, read)
  }
  uuid(): string {
    return this.slice(16).toString('base64url')
  }
  tags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.slice(this.uvarint())
    }
  }
}

/**
 * Millrace's own headers of an output or a dead letter, found by comparing bytes: the other headers are stepped over, no
 * text is made. The first origin counts: a dead letter carries the headers of its record behind its own, and that record
 * may itself have been an output once.
 */
import type { HeaderSpan } from '../cluster/kafka/codec/decode.ts'
import { VarintReader } from '../cluster/kafka/codec/varint.ts'
import { HEADER } from '../cluster/protocol/headers.ts'

const ORIGIN = Buffer.from(HEADER.origin)
const LATE = Buffer.from(HEADER.late)
const TIMESTAMP = Buffer.from(HEADER.originalTimestamp)

const NONE: readonly string[] = []
const SLASH = 0x2f
const ZERO = 0x30

export class FateHeaders extends VarintReader {
  /** Of the origin. */
  partition = -1
  offset = -1
  /** Aggregates that left the record out. */
  late: readonly string[] = NONE
  /** Epoch ms of the input where the output's own was clamped. */
  originalTimestamp: number | undefined
  /** `topic/` */
  private readonly prefix: Buffer
  private readonly names = new Map<string, readonly string[]>()

  constructor(topic: string) {
    super()
    this.prefix = Buffer.from(`${topic}/`)
  }

  /** False where the record names no offset of the topic: it is none of the pipeline's. */
  read(record: HeaderSpan): boolean {
    this.bytes = record.bytes
    this.pos = record.headersStart
    this.partition = -1
    this.offset = -1
    this.late = NONE
    this.originalTimestamp = undefined
    let seen = false
    for (let left = record.headerCount; left > 0; left--) {
      const nameLength = this.varint()
      const name = this.pos
      this.pos += nameLength
      const length = this.varint()
      const value = this.pos
      this.pos += Math.max(0, length)
      if (nameLength < 0 || this.pos > record.headersEnd) return this.offset >= 0
      if (!seen && this.is(ORIGIN, name, nameLength)) {
        seen = true
        this.origin(value, value + length)
      } else if (this.is(LATE, name, nameLength)) this.late = this.namesAt(value, value + length)
      else if (this.is(TIMESTAMP, name, nameLength))
        this.originalTimestamp = Number(this.bytes.toString('latin1', value, value + length))
    }
    return this.offset >= 0
  }

  private is(wanted: Buffer, at: number, length: number): boolean {
    return length === wanted.length && this.equal(wanted, at)
  }

  private equal(wanted: Buffer, at: number): boolean {
    for (let i = 0; i < wanted.length; i++) if (this.bytes[at + i] !== wanted[i]) return false
    return true
  }

  private origin(start: number, end: number): void {
    const digits = start + this.prefix.length
    if (digits >= end || !this.equal(this.prefix, start)) return
    const slash = this.bytes.indexOf(SLASH, digits)
    if (slash < 0 || slash >= end) return
    const partition = this.number(digits, slash)
    const offset = this.number(slash + 1, end)
    if (partition < 0 || offset < 0) return
    this.partition = partition
    this.offset = offset
  }

  /** -1 where it is none. */
  private number(start: number, end: number): number {
    if (end <= start || end - start > 16) return -1
    let value = 0
    for (let at = start; at < end; at++) {
      const digit = (this.bytes[at] ?? 0) - ZERO
      if (digit < 0 || digit > 9) return -1
      value = value * 10 + digit
    }
    return value
  }

  private namesAt(start: number, end: number): readonly string[] {
    const text = this.bytes.toString('utf8', start, Math.max(start, end))
    const names = this.names.get(text) ?? text.split(',')
    this.names.set(text, names)
    return names
  }
}

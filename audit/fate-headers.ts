/**
 * Millrace's own headers of an output or a dead letter, found by comparing bytes: the other headers are stepped over, no
 * text is made. Of origins, codes and attempts the first counts: a dead letter carries the headers of its record behind its
 * own, and that record may itself have been an output or a letter once.
 */
import type { HeaderSpan } from '../cluster/kafka/codec/decode.ts'
import { VarintReader } from '../cluster/kafka/codec/varint.ts'
import { HEADER } from '../cluster/protocol/headers.ts'

const ORIGIN = Buffer.from(HEADER.origin)
const LATE = Buffer.from(HEADER.late)
const TIMESTAMP = Buffer.from(HEADER.originalTimestamp)
const ATTEMPTS = Buffer.from(HEADER.attempts)
const CODE = Buffer.from(HEADER.errorCode)

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
  /** It needed more than one run: it stands out of the order of its inputs. */
  retried = false
  /** Of a dead letter. */
  errorCode = ''
  /** `topic/` */
  private readonly prefix: Buffer
  /** Of those that count once. */
  private readonly found = new Set<Buffer>()
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
    this.retried = false
    this.errorCode = ''
    this.found.clear()
    for (let left = record.headerCount; left > 0; left--) {
      const nameLength = this.varint()
      const name = this.pos
      this.pos += nameLength
      const length = this.varint()
      const value = this.pos
      this.pos += Math.max(0, length)
      if (nameLength < 0 || this.pos > record.headersEnd) return this.offset >= 0
      this.take(name, nameLength, value, Math.max(value, value + length))
    }
    return this.offset >= 0
  }

  private take(name: number, length: number, start: number, end: number): void {
    if (this.isFirst(ORIGIN, name, length)) this.origin(start, end)
    else if (this.isFirst(ATTEMPTS, name, length)) this.retried = this.number(start, end) > 1
    else if (this.isFirst(CODE, name, length)) this.errorCode = this.bytes.toString('utf8', start, end)
    else if (this.is(LATE, name, length)) this.late = this.namesAt(start, end)
    else if (this.is(TIMESTAMP, name, length))
      this.originalTimestamp = Number(this.bytes.toString('latin1', start, end))
  }

  private isFirst(wanted: Buffer, at: number, length: number): boolean {
    if (!this.is(wanted, at, length) || this.found.has(wanted)) return false
    this.found.add(wanted)
    return true
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
    const text = this.bytes.toString('utf8', start, end)
    const names = this.names.get(text) ?? text.split(',')
    this.names.set(text, names)
    return names
  }
}

/**
 * Zigzag varints as Kafka writes them: int32 in at most 5 bytes, int64 in at most 10.
 * A varlong is a number here: exact within +-2^53.
 *
 * A read past the end of the buffer yields zero and moves on, so it always ends;
 * readers compare `pos` with their own end afterwards.
 */
import { CodecError } from './error.ts'

const overlong = (): CodecError => new CodecError('corrupt', 'a varint is longer than its type allows')

export class VarintReader {
  bytes: Buffer = Buffer.alloc(0)
  protected pos = 0

  protected varint(): number {
    const first = this.bytes[this.pos++] ?? 0
    return first < 0x80 ? (first >>> 1) ^ -(first & 1) : this.longVarint(first)
  }

  private longVarint(first: number): number {
    let raw = first & 0x7f
    for (let shift = 7; shift <= 28; shift += 7) {
      const byte = this.bytes[this.pos++] ?? 0
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
    throw overlong()
  }

  protected varlong(): number {
    const first = this.bytes[this.pos++] ?? 0
    return first < 0x80 ? (first >>> 1) ^ -(first & 1) : this.longVarlong(first)
  }

  /** Sums the magnitude without the sign bit, so that no precision is lost below 2^53. */
  private longVarlong(first: number): number {
    let magnitude = (first & 0x7f) >>> 1
    let weight = 64
    for (let count = 1; count < 10; count++) {
      const byte = this.bytes[this.pos++] ?? 0
      magnitude += (byte & 0x7f) * weight
      if (byte < 0x80) return (first & 1) === 0 ? magnitude : -magnitude - 1
      weight *= 128
    }
    throw overlong()
  }
}

/** Bytes that `writeVarint` takes. */
export const varintSize = (value: number): number => {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0
  if (raw < 0x80) return 1
  if (raw < 0x4000) return 2
  if (raw < 0x200000) return 3
  return raw < 0x10000000 ? 4 : 5
}

/** Returns the position behind it. */
export const writeVarint = (bytes: Buffer, at: number, value: number): number => {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0
  let pos = at
  while (raw >= 0x80) {
    bytes[pos++] = (raw & 0x7f) | 0x80
    raw >>>= 7
  }
  bytes[pos++] = raw
  return pos
}

/** The magnitude that zigzag stores beside the sign. */
const magnitudeOf = (value: number): number => (value < 0 ? -(value + 1) : value)

/** Bytes that `writeVarlong` takes. */
export const varlongSize = (value: number): number => {
  if (value === (value | 0)) return varintSize(value)
  let size = 1
  for (let rest = magnitudeOf(value) / 64; rest >= 1; rest /= 128) size++
  return size
}

export const writeVarlong = (bytes: Buffer, at: number, value: number): number => {
  if (value === (value | 0)) return writeVarint(bytes, at, value)
  const magnitude = magnitudeOf(value)
  let byte = (magnitude % 64) * 2 + (value < 0 ? 1 : 0)
  let rest = Math.floor(magnitude / 64)
  let pos = at
  while (rest >= 1) {
    bytes[pos++] = byte | 0x80
    byte = rest % 128
    rest = Math.floor(rest / 128)
  }
  bytes[pos++] = byte
  return pos
}

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CodecError } from '../../../../cluster/kafka/codec/error.ts'
import {
  VarintReader,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../../../../cluster/kafka/codec/varint.ts'

class Reader extends VarintReader {
  constructor(bytes: Buffer) {
    super()
    this.bytes = bytes
  }
  int(): number {
    return this.varint()
  }
  long(): number {
    return this.varlong()
  }
  get at(): number {
    return this.pos
  }
}

/** Protocol Buffers' definition, by big integers. */
const reference = (value: number): number[] => {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return [...bytes, Number(rest)]
}

const int32 = fc.oneof(
  fc.integer(),
  fc.integer({ min: -70, max: 70 }),
  fc.constantFrom(8191, 8192, -8192, -8193),
)
const safe = fc.oneof(fc.maxSafeInteger(), int32, fc.integer({ min: 2 ** 31 - 3, max: 2 ** 33 }))

test('a varint has the bytes of its definition, the stated size, and reads back', () => {
  fc.assert(
    fc.property(int32, (value) => {
      const bytes = Buffer.alloc(10)
      const end = writeVarint(bytes, 0, value)
      expect([...bytes.subarray(0, end)]).toEqual(reference(value))
      expect(varintSize(value)).toBe(end)
      const reader = new Reader(bytes)
      expect(reader.int()).toBe(value)
      expect(reader.at).toBe(end)
    }),
    { numRuns: 1000 },
  )
})

test('a varlong has the bytes of its definition, the stated size, and reads back', () => {
  fc.assert(
    fc.property(safe, (value) => {
      const bytes = Buffer.alloc(12)
      const end = writeVarlong(bytes, 0, value)
      expect([...bytes.subarray(0, end)]).toEqual(reference(value))
      expect(varlongSize(value)).toBe(end)
      const reader = new Reader(bytes)
      expect(reader.long()).toBe(value)
      expect(reader.at).toBe(end)
    }),
    { numRuns: 1000 },
  )
})

test('a varint of more than 5 bytes and a varlong of more than 10 are corrupt', () => {
  const padded = (length: number): Reader =>
    new Reader(Buffer.from([...Array(length - 1).fill(0x80), 0, 0, 0]))
  expect(padded(5).int()).toBe(0)
  expect(() => padded(6).int()).toThrow(CodecError)
  expect(padded(10).long()).toBe(0)
  expect(() => padded(11).long()).toThrow(CodecError)
})

test('reading past the end of the buffer ends', () => {
  const reader = new Reader(Buffer.from([0x80]))
  reader.int()
  expect(reader.at).toBe(2)
})

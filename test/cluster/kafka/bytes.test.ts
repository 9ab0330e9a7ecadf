import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter } from '../../../cluster/kafka/bytes.ts'

interface Kind<T> {
  readonly values: fc.Arbitrary<T>
  readonly write: (out: ByteWriter, value: T) => void
  readonly read: (from: ByteReader) => unknown
}
const kind = <T>(one: Kind<T>): Kind<unknown> => one as Kind<unknown>
const int = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const bytes = fc.uint8Array({ maxLength: 9000 })

const kinds: readonly Kind<unknown>[] = [
  kind({ values: int(8), write: (out, v) => out.int8(v), read: (r) => r.int8() }),
  kind({ values: int(16), write: (out, v) => out.int16(v), read: (r) => r.int16() }),
  kind({ values: int(32), write: (out, v) => out.int32(v), read: (r) => r.int32() }),
  kind({ values: fc.maxSafeInteger(), write: (out, v) => out.int64(v), read: (r) => r.int64() }),
  kind({ values: fc.boolean(), write: (out, v) => out.bool(v), read: (r) => r.bool() }),
  kind({ values: fc.nat(2 ** 31 - 1), write: (out, v) => out.uvarint(v), read: (r) => r.uvarint() }),
  kind({ values: fc.option(fc.string()), write: (out, v) => out.string(v), read: (r) => r.string() }),
  kind({
    values: fc.option(fc.string({ unit: 'grapheme' })),
    write: (out, v) => out.compactString(v),
    read: (r) => r.compactString(),
  }),
  kind({ values: bytes, write: (out, v) => out.bytes(v), read: (r) => new Uint8Array(r.slice(r.int32())) }),
  kind({
    values: fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((id) => Buffer.from(id).toString('base64url')),
    write: (out, v) => out.uuid(v),
    read: (r) => r.uuid(),
  }),
  kind({
    values: fc.array(int(32), { maxLength: 300 }),
    write: (out, v) => out.compactArray(v, (one) => out.int32(one)),
    read: (r) => r.compactArray(() => r.int32()),
  }),
  kind({
    values: fc.array(fc.string(), { maxLength: 5 }),
    write: (out, v) => out.array(v, (one) => out.string(one)),
    read: (r) => r.array(() => r.string()),
  }),
]
const written = fc.array(fc.oneof(...kinds.map((one) => one.values.map((value) => [one, value] as const))))

describe('the primitive types of the protocol', () => {
  test('whatever is written is read again, in order, to the last byte', () => {
    fc.assert(
      fc.property(written, fc.integer({ min: 1, max: 64 }), (values, size) => {
        const out = new ByteWriter(size)
        for (const [{ write }, value] of values) write(out, value)
        const whole = out.done()
        expect(Buffer.concat(out.segments())).toEqual(whole)
        const reader = new ByteReader(whole)
        for (const [{ read }, value] of values) expect(read(reader)).toEqual(value)
        expect(reader.at).toBe(whole.length)
      }),
    )
  })

  test('long bytes are not copied', () => {
    const long = new Uint8Array(100_000)
    expect(new ByteWriter().int32(1).bytes(long).int32(2).segments()).toContain(long)
  })

  test('unknown tagged fields are passed over', () => {
    const out = new ByteWriter().uvarint(2)
    for (const tag of [0, 300]) out.uvarint(tag).uvarint(5).raw(Buffer.from('bytes'))
    const reader = new ByteReader(out.int8(42).done())
    reader.tags()
    expect(reader.int8()).toBe(42)
  })

  test('anything cut short is a RangeError', () => {
    fc.assert(
      fc.property(written, (values) => {
        const out = new ByteWriter()
        for (const [{ write }, value] of values) write(out, value)
        const whole = out.done()
        fc.pre(whole.length > 0)
        const reader = new ByteReader(whole.subarray(0, -1))
        expect(() => values.map(([{ read }]) => read(reader))).toThrow(RangeError)
      }),
    )
  })

  test('a count beyond the reply is a RangeError, at once', () => {
    for (const count of [2 ** 31 - 1, 1000]) {
      const reader = new ByteReader(new ByteWriter().int32(count).int32(1).done())
      expect(() => reader.array(() => reader.int64())).toThrow(RangeError)
    }
    const endless = Buffer.alloc(6, 0xff)
    expect(() => new ByteReader(endless).uvarint()).toThrow(RangeError)
    expect(() => new ByteReader(endless).compactArray(() => 0)).toThrow(RangeError)
    expect(() => new ByteReader(Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f)).compactString()).toThrow(RangeError)
  })
})

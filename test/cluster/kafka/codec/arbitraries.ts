import fc from 'fast-check'

export type Header = [name: string, value: Buffer | null]

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))

/** Lengths on both sides of where a varint takes one more byte. */
const edges = fc
  .constantFrom(0, 1, 62, 63, 64, 65, 8190, 8191, 8192, 8193)
  .chain((length) =>
    fc.constantFrom('a', 'é', '日', '😀').map((unit) => unit.repeat(length).slice(0, length)),
  )

export const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ maxLength: 300, unit: 'grapheme' }),
  fc.string({ maxLength: 100, unit: 'binary' }),
  edges,
)

/** What a text becomes as UTF-8; a lone surrogate has no bytes of its own. */
export const utf8 = (value: string | Buffer | null): Buffer | null =>
  typeof value === 'string' ? Buffer.from(value, 'utf8') : value

const name = fc.oneof(fc.constantFrom('', 'a', 'dup'), fc.string({ unit: 'grapheme' }))
const header: fc.Arbitrary<Header> = fc.tuple(name, fc.option(bytes(200), { nil: null }))
const headers: fc.Arbitrary<Header[]> = fc.oneof(
  fc.constant<Header[]>([]),
  fc.array(header, { maxLength: 100 }),
)

/** Small steps, and any time an int64 of ms can mean exactly. */
export const timestamp = fc.oneof(
  fc.integer({ min: 0, max: 3_000_000_000_000 }),
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.constantFrom(-1, 0, 63, 64, -64, -65, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 52, -(2 ** 52)),
)

export const plainRecord = fc.record({
  timestamp,
  key: fc.option(bytes(100), { nil: null }),
  value: fc.option(fc.oneof(text, bytes(500)), { nil: null }),
  headers,
})

export const plainRecords = fc.array(plainRecord, { minLength: 1, maxLength: 40 })

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchBuilder } from '../../../../cluster/kafka/codec/encode.ts'
import { HeaderBlock } from '../../../../cluster/kafka/codec/header-block.ts'
import { decodeAll } from '../../../../cluster/kafka/codec/records.ts'
import { plainRecords, text } from './arbitraries.ts'

const decoded = (bytes: Uint8Array | undefined): ReturnType<typeof decodeAll> =>
  bytes === undefined ? [] : decodeAll(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))

const append = (builder: BatchBuilder, value: string | Buffer | null): boolean =>
  builder.append(7, Buffer.from('key'), 0, 3, value)

test('nothing appended is no batch', () => {
  const builder = new BatchBuilder()
  builder.begin(1)
  expect(builder.finish()).toBeUndefined()
})

test('a batch has an ArrayBuffer of its own, which can be transferred, and the builder goes on', () => {
  const builder = new BatchBuilder()
  builder.begin(1)
  append(builder, 'one')
  const first = builder.finish()
  if (first === undefined) throw new Error('a batch was expected')
  expect(first.bytes.byteOffset).toBe(0)
  expect(first.bytes.buffer.byteLength).toBe(first.bytes.byteLength)
  const moved = structuredClone(first.bytes, { transfer: [first.bytes.buffer] })
  expect(first.bytes.byteLength).toBe(0)
  append(builder, 'two')
  expect(decoded(builder.finish()?.bytes).map((r) => `${r.offset} ${r.value}`)).toEqual(['0 two'])
  expect(decoded(moved).map((r) => `${r.offset} ${r.value}`)).toEqual(['0 one'])
})

test('a batch begun anew forgets what was not finished', () => {
  const builder = new BatchBuilder()
  builder.begin(1)
  append(builder, 'lost')
  builder.begin(2)
  append(builder, 'kept')
  const batch = builder.finish()
  expect(batch).toMatchObject({ count: 1, maxTimestamp: 7 })
  expect(decoded(batch?.bytes).map((r) => String(r.value))).toEqual(['kept'])
})

test('the key is a slice of any buffer; a negative start or no buffer is null', () => {
  const builder = new BatchBuilder()
  builder.begin(0)
  const around = Buffer.from('..key..')
  builder.append(0, around, 2, 5, null)
  builder.append(0, around, 2, 2, null)
  builder.append(0, around, -1, -1, null)
  builder.append(0, null, 0, 0, null)
  expect(decoded(builder.finish()?.bytes).map((r) => r.key?.toString() ?? null)).toEqual([
    'key',
    '',
    null,
    null,
  ])
})

test('the count and the latest timestamp of a batch are told', () => {
  const builder = new BatchBuilder()
  builder.begin(100)
  for (const time of [50, 300, 200]) builder.append(time, null, 0, 0, 'x')
  expect(builder.count).toBe(3)
  expect(builder.finish()).toMatchObject({ count: 3, maxTimestamp: 300 })
})

test.each([1_000, 16_383, 16_384, 300_000])(
  'texts of %d characters grow the buffer as far as needed',
  (length) => {
    const values = ['a', 'é', '日', '😀'].map((unit) => unit.repeat(length))
    const builder = new BatchBuilder()
    builder.begin(0)
    for (const value of values) append(builder, value)
    const size = builder.size
    const batch = builder.finish()
    expect(batch?.bytes.byteLength).toBe(size)
    expect(decoded(batch?.bytes).map((r) => r.value?.toString())).toEqual(values)
  },
)

test('under a limit: no batch passes it, each is as full as can be, every record is in exactly one, in order', () => {
  fc.assert(
    fc.property(plainRecords, fc.integer({ min: 100, max: 3000 }), (records, limit) => {
      const builder = new BatchBuilder({ limit })
      const free = new BatchBuilder()
      const block = new HeaderBlock()
      const put = (to: BatchBuilder, r: (typeof records)[number]): boolean =>
        to.append(r.timestamp, r.key, 0, r.key?.length ?? 0, r.value, block)
      const written: number[] = []
      const sizes: number[] = []
      let kept: number[] = []
      const flush = (): void => {
        const { size } = builder
        const batch = builder.finish()
        if (batch === undefined) return
        sizes.push(size)
        expect(batch.bytes.byteLength).toBe(size)
        expect(decoded(batch.bytes)).toHaveLength(kept.length)
        written.push(...kept)
        kept = []
      }
      const tooLarge: number[] = []
      builder.begin(0)
      for (const [i, r] of records.entries()) {
        block.clear()
        for (const [name, value] of r.headers) block.add(name, value)
        if (put(builder, r)) {
          kept.push(i)
          continue
        }
        free.begin(0)
        put(free, r)
        const alone = free.size
        if (builder.count > 0) expect(builder.size + alone - 61 + 2).toBeGreaterThan(limit)
        flush()
        if (put(builder, r)) kept.push(i)
        else {
          tooLarge.push(i)
          expect(alone).toBeGreaterThan(limit)
        }
      }
      flush()
      for (const size of sizes) expect(size).toBeLessThanOrEqual(limit)
      expect([...written, ...tooLarge].sort((a, b) => a - b)).toEqual(records.map((_, i) => i))
      expect(written).toEqual([...written].sort((a, b) => a - b))
    }),
  )
})

test('a refused record leaves no trace', () => {
  fc.assert(
    fc.property(text, text, (value, refused) => {
      const plain = new BatchBuilder()
      plain.begin(0)
      append(plain, value)
      const limited = new BatchBuilder({ limit: plain.size })
      limited.begin(0)
      expect(append(limited, value)).toBe(true)
      expect(limited.append(9e12, null, 0, 0, refused)).toBe(false)
      expect(limited.finish()).toEqual(plain.finish())
    }),
  )
})

test('a record far above the limit is refused before room is made for it', () => {
  const builder = new BatchBuilder({ limit: 1000 })
  builder.begin(0)
  const large = 'x'.repeat(2 ** 25)
  const before = process.memoryUsage().arrayBuffers
  expect(append(builder, large)).toBe(false)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20)
})

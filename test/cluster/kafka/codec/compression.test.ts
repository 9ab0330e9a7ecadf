import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { expect, test } from 'vitest'
import { decompress } from '../../../../cluster/kafka/codec/compression.ts'
import { CodecError } from '../../../../cluster/kafka/codec/error.ts'
import { compressors, xerial } from './compressors.ts'

const names = Object.keys(compressors)
const run = (name: string, bytes: Buffer, maxBytes: number): Buffer =>
  decompress(compressors[name]?.codec ?? -1, bytes, maxBytes)
const compress = (name: string, bytes: Buffer): Buffer =>
  compressors[name]?.compress(bytes) ?? Buffer.alloc(0)

const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (error instanceof CodecError) return error.code
    throw error
  }
  return 'no error'
}

const content = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array)),
  fc
    .tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.integer({ min: 0, max: 9000 }))
    .map(([text, times]) => Buffer.from(text.repeat(times))),
)

test.each(names)('%s: what was compressed comes back, up to a bound of exactly its size', (name) => {
  fc.assert(
    fc.property(content, (bytes) => {
      const small = compress(name, bytes)
      expect(run(name, small, Math.max(bytes.length, 1)).equals(bytes)).toBe(true)
      if (bytes.length > 1) expect(codeOf(() => run(name, small, bytes.length - 1))).toBe('too-large')
    }),
    { numRuns: 60 },
  )
})

test.each(names)('%s: a batch that would become 256 MB is refused without becoming it', (name) => {
  const bomb = compress(name, Buffer.alloc(256 * 2 ** 20))
  const before = process.memoryUsage().rss
  expect(codeOf(() => run(name, bomb, 2 ** 20))).toBe('too-large')
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
})

test.each(names)('%s: cut at any byte it is corrupt', (name) => {
  const bytes = compress(name, Buffer.from('all work and no play '.repeat(20)))
  for (let length = 0; length < bytes.length; length++) {
    const code = codeOf(() => run(name, bytes.subarray(0, length), 2 ** 20))
    // A frame of snappy-java has no end mark: cut behind its head it is an empty one. The walk of the records notices.
    if (name === 'snappy, framed' && length === 16) expect(code).toBe('no error')
    else expect(code).toBe('corrupt')
  }
})

test('a compression that Kafka does not have is named', () => {
  for (const codec of [0, 5, 6, 7]) {
    expect(codeOf(() => decompress(codec, Buffer.from('x'), 10))).toBe('codec')
  }
})

test('snappy: a length that promises gigabytes is refused before anything is allocated', () => {
  expect(codeOf(() => decompress(2, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]), 2 ** 20))).toBe(
    'too-large',
  )
  expect(codeOf(() => decompress(2, Buffer.alloc(8, 0xff), 2 ** 20))).toBe('corrupt')
})

test('snappy: blocks of one frame share the bound', () => {
  const bytes = xerial(Buffer.alloc(1000, 1), 100)
  expect(decompress(2, bytes, 1000)).toHaveLength(1000)
  expect(codeOf(() => decompress(2, bytes, 999))).toBe('too-large')
})

test('snappy: a last block that is shorter than it says is corrupt, even where it would decompress', () => {
  const bytes = xerial(Buffer.from('text'))
  bytes.writeInt32BE(bytes.readInt32BE(16) + 1, 16)
  expect(codeOf(() => decompress(2, bytes, 1000))).toBe('corrupt')
  bytes.writeInt32BE(-5, 16)
  expect(codeOf(() => decompress(2, bytes, 1000))).toBe('corrupt')
})

/** A frame by hand: version 1, independent blocks of at most 64 KiB. */
const frame = (blocks: readonly Buffer[], flags = 0x60, extra = Buffer.alloc(0)): Buffer =>
  Buffer.concat([
    Buffer.from([0x04, 0x22, 0x4d, 0x18, flags, 0x40]),
    extra,
    Buffer.from([0]),
    ...blocks,
    Buffer.alloc(4),
  ])
const stored = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(0x80000000 + bytes.length)
  return Buffer.concat([length, bytes])
}

test('lz4: blocks that were stored as they are come back', () => {
  const bytes = frame([stored(Buffer.from('one ')), stored(Buffer.from('two'))])
  expect(decompress(3, bytes, 100).toString()).toBe('one two')
})

test('lz4: a content size and checksums of blocks are passed over', () => {
  const block = Buffer.concat([stored(Buffer.from('one')), Buffer.from('sum!')])
  expect(decompress(3, frame([block, block], 0x78, Buffer.alloc(8)), 100).toString()).toBe('oneone')
  const written = compressFrameSync(Buffer.from('abc'.repeat(99_999)), {
    contentChecksum: true,
    blockChecksums: true,
  })
  expect(decompress(3, written, 2 ** 20).toString()).toBe('abc'.repeat(99_999))
})

test.each([
  ['blocks that depend on each other', 0x40],
  ['a dictionary', 0x61],
  ['another version', 0xa0],
])('lz4: %s is refused', (_name, flags) => {
  expect(codeOf(() => decompress(3, frame([stored(Buffer.from('x'))], flags), 100))).toBe('corrupt')
})

test('lz4: a block larger than its frame allows is corrupt', () => {
  expect(codeOf(() => decompress(3, frame([stored(Buffer.alloc(65_537))]), 2 ** 20))).toBe('corrupt')
})

test('lz4: a small block costs the same whatever its frame allows', () => {
  const timeOf = (allowed: number): number => {
    const bytes = frame(Array(2000).fill(Buffer.from([2, 0, 0, 0, 0x10, 0x78])))
    bytes[5] = allowed
    const start = performance.now()
    expect(decompress(3, bytes, 2 ** 20)).toHaveLength(2000)
    return performance.now() - start
  }
  const best = (allowed: number): number => Math.min(...[1, 2, 3, 4, 5].map(() => timeOf(allowed)))
  expect(best(0x70)).toBeLessThan(5 * best(0x40))
})

test('gzip: members that follow each other are one', () => {
  const bytes = Buffer.concat([gzipSync('one '), gzipSync('two')])
  expect(decompress(1, bytes, 7).toString()).toBe('one two')
})

test('bytes of another compression are corrupt', () => {
  const all = [gzipSync('text'), compressSync('text'), compressFrameSync('text'), zstdCompressSync('text')]
  for (const [i, bytes] of all.entries()) {
    for (const codec of [1, 2, 3, 4]) {
      if (codec !== i + 1) expect(codeOf(() => decompress(codec, bytes, 1000))).toBe('corrupt')
    }
  }
})

/**
 * The LZ4 frame format, block by block, because no library bounds a whole frame: a block's output is bounded
 * by the frame's block size, so memory stays within the bound plus one block.
 * The frame's own checksums are skipped: the batch's CRC-32C covers the same bytes.
 * Blocks that refer to earlier ones are refused, as Kafka's own clients do.
 */
import { uncompressSync } from 'lz4-napi'
import { CodecError } from './error.ts'

const MAGIC = 0x184d2204
const FLAG = { independent: 0x20, blockChecksum: 0x10, contentSize: 0x08, dictionary: 0x01 } as const
const STORED = 0x80000000
/** No block of LZ4 grows more; so many tiny blocks cannot each claim a block of 4 MiB. */
const RATIO = 255

interface Frame {
  readonly blocksAt: number
  readonly blockMax: number
  readonly blockTail: number
}

const corrupt = (detail: string): CodecError => new CodecError('corrupt', `lz4: ${detail}`)

const readFrame = (bytes: Buffer): Frame => {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== MAGIC) throw corrupt('no frame')
  const flags = bytes.readUInt8(4)
  const sizeId = (bytes.readUInt8(5) >> 4) & 7
  if (flags >> 6 !== 1 || sizeId < 4) throw corrupt('an unknown version')
  if ((flags & FLAG.independent) === 0) throw corrupt('blocks that depend on each other are not supported')
  if ((flags & FLAG.dictionary) !== 0) throw corrupt('dictionaries are not supported')
  return {
    blocksAt: (flags & FLAG.contentSize) === 0 ? 7 : 15,
    blockMax: 2 ** (8 + 2 * sizeId),
    blockTail: (flags & FLAG.blockChecksum) === 0 ? 0 : 4,
  }
}

/** The library reads the size of its output from four bytes in front of the block; less output is fine, more an error. */
const block = (bytes: Buffer, max: number): Buffer => {
  const sized = Buffer.allocUnsafe(4 + bytes.length)
  sized.writeUInt32LE(max, 0)
  bytes.copy(sized, 4)
  return uncompressSync(sized)
}

export const unlz4 = (bytes: Buffer, maxBytes: number): Buffer => {
  const frame = readFrame(bytes)
  const blocks: Buffer[] = []
  let size = 0
  for (let at = frame.blocksAt; ; ) {
    if (at + 4 > bytes.length) throw corrupt('no end mark')
    const word = bytes.readUInt32LE(at)
    if (word === 0) break
    const length = word & ~STORED
    const end = at + 4 + length
    if (end > bytes.length || length > frame.blockMax) throw corrupt('a block is cut')
    const raw = bytes.subarray(at + 4, end)
    const output = word >= STORED ? raw : block(raw, Math.min(frame.blockMax, length * RATIO))
    size += output.length
    if (size > maxBytes) throw new CodecError('too-large', `lz4: more than ${maxBytes} bytes`)
    blocks.push(output)
    at = end + frame.blockTail
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks, size)
}

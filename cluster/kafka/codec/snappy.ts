/**
 * Snappy as Kafka meets it: raw (librdkafka), or the frame of snappy-java that the Java client writes
 * (a 16 byte head, then blocks of raw snappy behind their int32 length).
 * A raw block begins with its decompressed length; the library allocates that much and refuses any other result.
 */
import { uncompressSync } from 'snappy'
import { CodecError } from './error.ts'

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEAD = 16

const statedLength = (block: Buffer): number => {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) break
    length += (byte & 0x7f) * 128 ** i
    if (byte < 0x80) return length
  }
  throw new CodecError('corrupt', 'snappy: no length')
}

const block = (bytes: Buffer, maxBytes: number): Buffer => {
  if (statedLength(bytes) > maxBytes) throw new CodecError('too-large', `snappy: more than ${maxBytes} bytes`)
  const output = uncompressSync(bytes)
  return typeof output === 'string' ? Buffer.from(output) : output
}

export const unsnappy = (bytes: Buffer, maxBytes: number): Buffer => {
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return block(bytes, maxBytes)
  if (bytes.length < XERIAL_HEAD) throw new CodecError('corrupt', 'snappy: its head is cut')
  const blocks: Buffer[] = []
  let size = 0
  for (let at = XERIAL_HEAD; at < bytes.length; ) {
    const length = at + 4 > bytes.length ? -1 : bytes.readInt32BE(at)
    const end = at + 4 + length
    if (length < 0 || end > bytes.length) throw new CodecError('corrupt', 'snappy: a block is cut')
    const output = block(bytes.subarray(at + 4, end), maxBytes - size)
    size += output.length
    blocks.push(output)
    at = end
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks, size)
}

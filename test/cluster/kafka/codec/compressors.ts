/** The compressions of Kafka, written as its clients write them. */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { AT } from '../../../../cluster/kafka/codec/layout.ts'

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** As snappy-java frames it: blocks of 32 KiB behind their length. */
export const xerial = (bytes: Buffer, blockSize = 32_768): Buffer => {
  const parts = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]), int32(1), int32(1)]
  for (let at = 0; at < bytes.length; at += blockSize) {
    const block = compressSync(bytes.subarray(at, at + blockSize))
    parts.push(int32(block.length), block)
  }
  return Buffer.concat(parts)
}

export const compressors: Record<string, { codec: number; compress: (bytes: Buffer) => Buffer }> = {
  gzip: { codec: 1, compress: (bytes) => gzipSync(bytes) },
  snappy: { codec: 2, compress: (bytes) => compressSync(bytes) },
  'snappy, framed': { codec: 2, compress: (bytes) => xerial(bytes) },
  lz4: { codec: 3, compress: (bytes) => compressFrameSync(bytes) },
  zstd: { codec: 4, compress: (bytes) => zstdCompressSync(bytes) },
}

/** The same batch with its records compressed; the checksum is not renewed. */
export const compressed = (batch: Buffer, name: string): Buffer => {
  const { codec, compress } = compressors[name] ?? { codec: 0, compress: (bytes: Buffer) => bytes }
  const result = Buffer.concat([batch.subarray(0, AT.records), compress(batch.subarray(AT.records))])
  result.writeInt32BE(result.length - 12, AT.length)
  result.writeInt16BE(codec, AT.attributes)
  return result
}

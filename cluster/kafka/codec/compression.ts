/** Kafka's four compressions, each with a bound on what it may become: a batch of 1 MB can decompress to gigabytes. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { CodecError } from './error.ts'
import { unlz4 } from './lz4.ts'
import { unsnappy } from './snappy.ts'

/** zlib grows its output by whole chunks; its default of 16 KiB costs a call for each. */
const chunkSize = (bytes: Buffer, maxBytes: number): number =>
  Math.max(64, Math.min(1 << 20, maxBytes, bytes.length * 4))

const unzip =
  (name: string, run: typeof gunzipSync | typeof zstdDecompressSync) =>
  (bytes: Buffer, maxBytes: number): Buffer => {
    try {
      return run(bytes, { maxOutputLength: maxBytes, chunkSize: chunkSize(bytes, maxBytes) })
    } catch (error) {
      if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
        throw new CodecError('too-large', `${name}: more than ${maxBytes} bytes`, error)
      }
      throw error
    }
  }

const codecs = [undefined, unzip('gzip', gunzipSync), unsnappy, unlz4, unzip('zstd', zstdDecompressSync)]

/** `codec` as in the batch's attributes (1 to 4). Throws CodecError `too-large`, `corrupt` or `codec`. */
export const decompress = (codec: number, bytes: Buffer, maxBytes: number): Buffer => {
  const run = codecs[codec]
  if (run === undefined) throw new CodecError('codec', `compression ${codec} is not known`)
  try {
    return run(bytes, maxBytes)
  } catch (error) {
    if (error instanceof CodecError) throw error
    throw new CodecError('corrupt', `a compressed batch does not decompress: ${String(error)}`, error)
  }
}

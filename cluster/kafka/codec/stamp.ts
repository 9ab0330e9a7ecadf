import { crc32c } from '@node-rs/crc32'
import { AT, writeInt64 } from './layout.ts'

/** Makes an encoded batch the producer's: id, epoch, sequence and the checksum over them, in place. */
export const stamp = (
  batch: Uint8Array,
  producerId: number,
  producerEpoch: number,
  baseSequence: number,
): void => {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength)
  writeInt64(bytes, AT.producerId, producerId)
  bytes.writeInt16BE(producerEpoch, AT.producerEpoch)
  bytes.writeInt32BE(baseSequence, AT.baseSequence)
  bytes.writeUInt32BE(crc32c(bytes.subarray(AT.attributes)), AT.crc)
}

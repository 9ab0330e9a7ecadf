/** Where the fields of a record batch (magic 2) lie, from the batch's first byte. All integers are big-endian. */
export const AT = {
  baseOffset: 0,
  /** Counts the bytes after itself. */
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  /** The checksum covers everything from here on. */
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const

/** Base offset and length: the bytes that `length` does not count. */
export const LOG_OVERHEAD = 12

export const ATTRIBUTE = { codec: 0x07, logAppendTime: 0x08, transactional: 0x10, control: 0x20 } as const

const WORD = 2 ** 32

/** An int64 as a number: exact up to 2^53, which offsets, timestamps and producer ids do not reach. */
export const readInt64 = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * WORD + bytes.readUInt32BE(at + 4)

export const writeInt64 = (bytes: Buffer, at: number, value: number): void => {
  const high = Math.floor(value / WORD)
  bytes.writeInt32BE(high, at)
  bytes.writeUInt32BE(value - high * WORD, at + 4)
}

/** Chunks and records made by hand. */
import { decodeAll, encodeBatch } from '../../cluster/kafka/codec/records.ts'
import type { Chunk } from '../../cluster/kafka/ports.ts'
import type { SourceRecord } from '../../sinks/documents.ts'

export const TOPIC = 'outputs'

/** One batch of these values from that offset on. */
export const chunkOf = (
  partition: number,
  from: number,
  values: readonly (string | null)[],
  release?: () => void,
): Chunk => {
  const encoded = encodeBatch(values.map((value) => ({ timestamp: 1, key: null, value })))
  const bytes = Buffer.from(encoded?.bytes ?? [])
  if (encoded !== undefined) bytes.writeBigInt64BE(BigInt(from), 0)
  const next = from + values.length
  return {
    partition,
    from,
    next,
    bytes,
    batches:
      encoded === undefined
        ? []
        : [
            {
              ...{ start: 0, end: bytes.length, baseOffset: from, lastOffset: next - 1 },
              ...{ records: values.length, maxTimestamp: 0 },
            },
          ],
    records: values.length,
    leaderEpoch: 0,
    lastStableOffset: next,
    ...(release && { release }),
  }
}

export const recordOf = (offset: number, value: string, partition = 0): SourceRecord => {
  const [record] = decodeAll(chunkOf(partition, offset, [value]).bytes)
  if (record === undefined) throw new Error('no record')
  return { ...record, origin: { topic: TOPIC, partition, offset } }
}

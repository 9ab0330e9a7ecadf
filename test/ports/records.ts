/** Batches for the suite: one record a value. */
import { encodeBatch, type PlainRecord } from '../../cluster/kafka/codec/records.ts'
import type { Part } from '../../cluster/kafka/ports.ts'

export const batch = (topic: string, partition: number, records: readonly PlainRecord[]): Part => {
  const encoded = encodeBatch(records)
  if (encoded === undefined) throw new Error('a batch needs a record')
  return { topic, partition, bytes: encoded.bytes, records: encoded.count }
}

export const part = (topic: string, partition: number, ...values: readonly string[]): Part =>
  batch(
    topic,
    partition,
    values.map((value) => ({ timestamp: Date.now(), key: value, value })),
  )

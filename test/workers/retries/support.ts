/** Parked records and results of their runs, as plain as a test needs them. */
import { decodeAll } from '../../../cluster/kafka/codec/records.ts'
import { type ResultHead, resultFrame, resultKey } from '../../../cluster/protocol/retries.ts'
import type { Parked } from '../../../workers/retries/parked.ts'
import { brokerBatch, record } from '../support/batches.ts'

export const parkedAt = (partition: number, offset: number, more: Partial<Parked> = {}): Parked => ({
  partition,
  offset,
  park: `c/${partition}/${offset}`,
  attempts: 1,
  code: 'lookup-down',
  message: '',
  due: 1000,
  key: '',
  preview: '',
  bytes: 100,
  ...more,
})

type WithoutJson<T> = T extends unknown ? Omit<T, 'json'> : never
export type Said = WithoutJson<ResultHead>

/** A message of the retried topic; its record is the input's. */
export const message = (partition: number, offset: number, head: Said, value: unknown = { n: offset }) => ({
  key: resultKey(partition, offset),
  value: resultFrame(
    head,
    head.outcome === 'done' ? JSON.stringify(value) : '',
    head.outcome === 'retry' ? undefined : brokerBatch([record(value)], { baseOffset: offset }),
  ),
})

export const done = (park: string, attempt = 2): Said => ({ park, attempt, outcome: 'done' })
export const failed = (park: string, attempt = 2): Said => ({
  park,
  attempt,
  outcome: 'retry',
  code: 'lookup-down',
  message: '',
  due: 9000,
})

export const decodedOf = (bytes: Uint8Array) =>
  decodeAll(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))

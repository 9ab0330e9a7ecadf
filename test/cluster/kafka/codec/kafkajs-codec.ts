/** kafkajs 2.2.4's own record batch code, typed as far as the tests use it: an independent reading of the format. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

interface Encoder {
  readonly buffer: Buffer
}
export type Headers = Record<string, Buffer | null | (Buffer | null)[]>
interface RecordInput {
  readonly offsetDelta: number
  readonly timestampDelta: number | bigint
  readonly key: Buffer | string | null
  readonly value: Buffer | string | null
  readonly headers: Headers
}
interface BatchInput {
  readonly compression?: number
  readonly firstOffset?: unknown
  readonly firstTimestamp: unknown
  readonly maxTimestamp: unknown
  readonly partitionLeaderEpoch?: number
  readonly lastOffsetDelta: number
  readonly transactional?: boolean
  readonly producerId?: unknown
  readonly producerEpoch?: number
  readonly firstSequence?: number
  readonly records: readonly Encoder[]
}
export interface DecodedBatch {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly maxTimestamp: string
  readonly partitionLeaderEpoch: number
  readonly inTransaction: boolean
  readonly isControlBatch: boolean
  readonly lastOffsetDelta: number
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly records: {
    readonly offset: string
    readonly timestamp: string
    readonly key: Buffer | null
    readonly value: Buffer | null
    readonly headers: Headers
  }[]
}

const path = 'kafkajs/src/protocol'
export const { RecordBatch } = require(`${path}/recordBatch/v0/index.js`) as {
  RecordBatch(input: BatchInput): Promise<Encoder>
}
export const Record = require(`${path}/recordBatch/record/v0/index.js`) as (input: RecordInput) => Encoder
export const decodeBatch = require(`${path}/recordBatch/v0/decoder.js`) as (
  decoder: unknown,
) => Promise<DecodedBatch>
export const Decoder = require(`${path}/decoder.js`) as new (bytes: Buffer) => unknown
export const Long = require('kafkajs/src/utils/long.js') as { fromValue(value: string | number): unknown }
export const kafkajsMurmur2 = require('kafkajs/src/producer/partitioners/default/murmur2.js') as (
  key: Buffer,
) => number

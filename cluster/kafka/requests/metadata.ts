/** Metadata v12 (topic ids, leader epochs; kafkajs stops at v6), ListOffsets v5, FindCoordinator v2. */
import { ByteReader, ByteWriter } from '../bytes.ts'
import type { RawRequest, Throttled } from '../seam.ts'

export interface PartitionMetadata {
  readonly partition: number
  readonly code: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
}
export interface TopicMetadata {
  readonly code: number
  readonly topic: string
  readonly topicId: string
  readonly partitions: readonly PartitionMetadata[]
  /** One bit an operation that is allowed, where that was asked for. */
  readonly operations?: number
}
export interface Metadata extends Throttled {
  readonly clusterId: string
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]
  readonly topics: readonly TopicMetadata[]
}

const ZERO_UUID = Buffer.alloc(16)
const NOT_ASKED = -(2 ** 31)

export const metadataRequest = (
  topics: readonly string[],
  { operations = false }: { readonly operations?: boolean } = {},
): RawRequest<Metadata> => {
  const out = new ByteWriter().tags()
  out.compactArray(topics, (topic) => out.raw(ZERO_UUID).compactString(topic).tags())
  out.bool(false).bool(operations).tags()
  return { apiKey: 3, apiVersion: 12, name: 'Metadata', body: out.segments(), decode: decodeMetadata }
}

const decodeMetadata = (payload: Buffer): Metadata => {
  const reply = new ByteReader(payload)
  reply.tags()
  const throttleMs = reply.int32()
  const brokers = reply.compactArray(() => {
    const broker = { nodeId: reply.int32(), host: reply.compactString() ?? '', port: reply.int32() }
    reply.compactString()
    reply.tags()
    return broker
  })
  const clusterId = reply.compactString() ?? ''
  reply.int32()
  return { throttleMs, brokers, clusterId, topics: reply.compactArray(() => readTopic(reply)) }
}

const readTopic = (reply: ByteReader): TopicMetadata => {
  const code = reply.int16()
  const topic = reply.compactString() ?? ''
  const topicId = reply.uuid()
  reply.bool()
  const partitions = reply.compactArray(() => {
    const partition = {
      code: reply.int16(),
      partition: reply.int32(),
      leader: reply.int32(),
      leaderEpoch: reply.int32(),
    }
    const replicas = reply.compactArray(() => reply.int32())
    reply.compactArray(() => reply.int32())
    reply.compactArray(() => reply.int32())
    reply.tags()
    return { ...partition, replicas }
  })
  partitions.sort((a, b) => a.partition - b.partition)
  const operations = reply.int32()
  reply.tags()
  return { code, topic, topicId, partitions, ...(operations !== NOT_ASKED && { operations }) }
}

/** `timestamp`: epoch ms, or -2 for the log start, -1 for the end (which one, the isolation says). */
export interface OffsetQuery {
  readonly partition: number
  readonly timestamp: number
}
export interface OffsetAnswer {
  readonly partition: number
  readonly code: number
  /** -1 where no record is that young. */
  readonly offset: number
  readonly leaderEpoch: number
}
export const EARLIEST = -2
export const LATEST = -1
/** Whether the end is that of everything written, or of what is committed. */
export const ISOLATION = { written: 0, committed: 1 } as const
export type Isolation = (typeof ISOLATION)[keyof typeof ISOLATION]

export const listOffsetsRequest = (
  topic: string,
  queries: readonly OffsetQuery[],
  isolation: Isolation = ISOLATION.committed,
): RawRequest<Throttled & { answers: OffsetAnswer[] }> => {
  const out = new ByteWriter().int32(-1).int8(isolation)
  out.array([topic], (name) => {
    out.string(name).array(queries, (query) => out.int32(query.partition).int32(-1).int64(query.timestamp))
  })
  return { apiKey: 2, apiVersion: 5, name: 'ListOffsets', body: out.segments(), decode: decodeOffsets }
}

const decodeOffsets = (payload: Buffer): Throttled & { answers: OffsetAnswer[] } => {
  const reply = new ByteReader(payload)
  const throttleMs = reply.int32()
  const answers = reply.array(() => {
    reply.string()
    return reply.array(() => {
      const partition = reply.int32()
      const code = reply.int16()
      reply.int64()
      return { partition, code, offset: reply.int64(), leaderEpoch: reply.int32() }
    })
  })
  return { throttleMs, answers: answers.flat() }
}

export interface Coordinator extends Throttled {
  readonly code: number
  readonly nodeId: number
}
const KIND = { group: 0, transaction: 1 } as const

export const findCoordinatorRequest = (name: string, kind: keyof typeof KIND): RawRequest<Coordinator> => ({
  apiKey: 10,
  apiVersion: 2,
  name: 'FindCoordinator',
  body: new ByteWriter().string(name).int8(KIND[kind]).segments(),
  decode: (payload) => {
    const reply = new ByteReader(payload)
    const throttleMs = reply.int32()
    const code = reply.int16()
    reply.string()
    return { throttleMs, code, nodeId: reply.int32() }
  },
})

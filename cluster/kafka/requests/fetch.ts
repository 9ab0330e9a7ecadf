/** Fetch v13: by topic id, so that a re-created topic never answers an old offset; read_committed; no fetch session. */
import { ByteReader, ByteWriter } from '../bytes.ts'
import type { RawRequest, Throttled } from '../seam.ts'

export interface FetchPartition {
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly offset: number
  readonly maxBytes: number
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly code: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** A view of the reply. */
  readonly records: Buffer
}

export interface FetchReply extends Throttled {
  readonly code: number
  readonly partitions: readonly FetchedPartition[]
}

export interface FetchLimits {
  /** ms the broker may wait for the first byte. */
  readonly maxWait: number
  readonly maxBytes: number
}

const READ_COMMITTED = 1
const NO_SESSION = { id: 0, epoch: -1 }

export const fetchRequest = (
  partitions: readonly FetchPartition[],
  limits: FetchLimits,
): RawRequest<FetchReply> => {
  const out = new ByteWriter(64 + partitions.length * 48).tags()
  out.int32(-1).int32(limits.maxWait).int32(1).int32(limits.maxBytes).int8(READ_COMMITTED)
  out.int32(NO_SESSION.id).int32(NO_SESSION.epoch)
  // One entry a partition, in the caller's order: the broker fills the reply in that order.
  out.compactArray(partitions, (wanted) => {
    out.uuid(wanted.topicId).compactArray([wanted], (one) => {
      out
        .int32(one.partition)
        .int32(one.leaderEpoch)
        .int64(one.offset)
        .int32(-1)
        .int64(-1)
        .int32(one.maxBytes)
        .tags()
    })
    out.tags()
  })
  out
    .compactArray([], () => undefined)
    .compactString('')
    .tags()
  return { apiKey: 1, apiVersion: 13, name: 'Fetch', body: out.segments(), decode: decodeFetch }
}

const decodeFetch = (payload: Buffer): FetchReply => {
  const reply = new ByteReader(payload)
  reply.tags()
  const throttleMs = reply.int32()
  const code = reply.int16()
  reply.int32()
  const partitions = reply.compactArray(() => {
    const topicId = reply.uuid()
    const found = reply.compactArray(() => readPartition(reply, topicId))
    reply.tags()
    return found
  })
  return { throttleMs, code, partitions: partitions.flat() }
}

const readPartition = (reply: ByteReader, topicId: string): FetchedPartition => {
  const partition = reply.int32()
  const code = reply.int16()
  reply.int64()
  const lastStableOffset = reply.int64()
  const logStartOffset = reply.int64()
  const aborted = reply.compactArray(() => {
    const one = { producerId: reply.int64(), firstOffset: reply.int64() }
    reply.tags()
    return one
  })
  reply.int32()
  const records = reply.compactBytes()
  reply.tags()
  return { topicId, partition, code, lastStableOffset, logStartOffset, aborted, records }
}

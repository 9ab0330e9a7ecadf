/** Replies as a broker encodes them, for tests of what reads them. */
import { ByteWriter } from '../../../cluster/kafka/bytes.ts'
import type { AbortedTransaction } from '../../../cluster/kafka/requests/fetch.ts'

export interface ReplyPartition {
  readonly topicId: string
  readonly partition: number
  readonly code?: number
  readonly stable?: number
  readonly start?: number
  readonly aborted?: readonly AbortedTransaction[]
  readonly records?: Uint8Array
}

export const fetchReply = (partitions: readonly ReplyPartition[], code = 0, throttleMs = 0): Buffer => {
  const out = new ByteWriter().tags().int32(throttleMs).int16(code).int32(0)
  out.compactArray(partitions, (one) => {
    out
      .uuid(one.topicId)
      .compactArray([one], ({ partition, code = 0, stable = 0, start = 0, aborted = [] }) => {
        out.int32(partition).int16(code).int64(stable).int64(stable).int64(start)
        out.compactArray(aborted, (txn) => out.int64(txn.producerId).int64(txn.firstOffset).tags())
        const records = one.records ?? new Uint8Array()
        out
          .int32(-1)
          .uvarint(records.length + 1)
          .raw(records)
          .tags()
      })
    out.tags()
  })
  return out.tags().done()
}

export interface ReplyTopic {
  readonly topic: string
  readonly topicId: string
  readonly code?: number
  /** By partition number; -1 where nobody leads. */
  readonly leaders: readonly number[]
}

export const metadataReply = (topics: readonly ReplyTopic[], nodes: readonly number[] = [1]): Buffer => {
  const out = new ByteWriter().tags().int32(0)
  out.compactArray(nodes, (node) =>
    out.int32(node).compactString('localhost').int32(9092).compactString(null).tags(),
  )
  out.compactString('a cluster').int32(1)
  out.compactArray(topics, ({ topic, topicId, code = 0, leaders }) => {
    out.int16(code).compactString(topic).uuid(topicId).bool(false)
    const partitions = leaders.map((leader, partition) => ({ leader, partition }))
    out.compactArray(partitions, ({ leader, partition }) => {
      out.int16(0).int32(partition).int32(leader).int32(7)
      for (let list = 0; list < 3; list++) out.compactArray([leader], (node) => out.int32(node))
      out.tags()
    })
    out.int32(-1).tags()
  })
  return out.tags().done()
}

export const offsetsReply = (
  topic: string,
  offsets: readonly (readonly [partition: number, code: number, offset: number])[],
) => {
  const out = new ByteWriter().int32(0)
  out.array([topic], (name) => {
    out.string(name).array(offsets, ([partition, code, offset]) => {
      out.int32(partition).int16(code).int64(-1).int64(offset).int32(3)
    })
  })
  return out.done()
}

export const coordinatorReply = (nodeId: number, code = 0): Buffer =>
  new ByteWriter().int32(0).int16(code).string(null).int32(nodeId).string('localhost').int32(9092).done()

export const initReply = (producerId: number, epoch: number, code = 0): Buffer =>
  new ByteWriter().tags().int32(0).int16(code).int64(producerId).int16(epoch).tags().done()

export const addReply = (topic: string, codes: readonly number[]): Buffer => {
  const out = new ByteWriter().int32(0)
  out.array([topic], (name) => {
    out.string(name).array([...codes.entries()], ([partition, code]) => out.int32(partition).int16(code))
  })
  return out.done()
}

export interface ReplyProduced {
  readonly topic: string
  readonly partition: number
  readonly code?: number
  readonly base?: number
  readonly indexes?: readonly number[]
  readonly detail?: string
}

export const produceReply = (produced: readonly ReplyProduced[]): Buffer => {
  const out = new ByteWriter()
  out.array(produced, ({ topic, partition, code = 0, base = 0, indexes = [], detail = null }) => {
    out.string(topic).array([partition], (one) => {
      out.int32(one).int16(code).int64(base).int64(-1).int64(0)
      out.array(indexes, (index) => out.int32(index).string('guilty'))
      out.string(detail)
    })
  })
  return out.int32(0).done()
}

export const endReply = (code = 0): Buffer => new ByteWriter().int32(0).int16(code).done()

export const describeReply = (state: string, code = 0): Buffer => {
  const out = new ByteWriter().tags().int32(0)
  out.compactArray([state], (one) => {
    out.int16(code).compactString('id').compactString(one).int32(1000).int64(-1).int64(77).int16(1)
    out.compactArray(['t'], (topic) => {
      out
        .compactString(topic)
        .compactArray([0, 1], (partition) => out.int32(partition))
        .tags()
    })
    out.tags()
  })
  return out.tags().done()
}

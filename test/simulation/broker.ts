/**
 * The fake Kafka behind its protocol: takes a request's bytes, gives a reply's bytes, so that the real reader, writer,
 * scan and topology speak with it. The rules are FakeKafka's (test/ports/fake); here is only the encoding.
 */
import { ByteReader, ByteWriter } from '../../cluster/kafka/bytes.ts'
import { CODE } from '../../cluster/kafka/codes.ts'
import { EARLIEST, ISOLATION } from '../../cluster/kafka/requests/metadata.ts'
import type { TopicPartition } from '../../cluster/kafka/requests/transactions.ts'
import { coordinatorReply, describeReply, endReply, fetchReply, initReply } from '../cluster/kafka/replies.ts'
import type { Addressed, FakeKafka } from '../ports/fake/kafka.ts'

export const NODES = [1, 2, 3] as const
export const CLUSTER_ID = 'simulated'

export interface Wanted {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly maxBytes: number
}

export interface FetchOrder {
  readonly maxWait: number
  readonly wanted: readonly Wanted[]
}

export const readFetch = (request: Buffer): FetchOrder => {
  const from = new ByteReader(request)
  from.tags()
  from.int32()
  const maxWait = from.int32()
  from.slice(4 + 4 + 1 + 4 + 4)
  const wanted = from.compactArray(() => {
    const topicId = from.uuid()
    const [one] = from.compactArray(() => {
      const partition = from.int32()
      from.int32()
      const offset = from.int64()
      from.slice(4 + 8)
      const maxBytes = from.int32()
      from.tags()
      return { topicId, partition, offset, maxBytes }
    })
    from.tags()
    return one
  })
  return { maxWait, wanted: wanted.filter((one) => one !== undefined) }
}

export const answerFetch = (kafka: FakeKafka, leader: number, wanted: readonly Wanted[]): Buffer => {
  const asked = wanted.map((one) => ({ ...one, leader, leaderEpoch: -1 }))
  const { partitions } = kafka.fetch(asked)
  return fetchReply(
    partitions.map(({ lastStableOffset: stable, logStartOffset: start, ...one }) => ({
      ...one,
      stable,
      start,
    })),
  )
}

type Answer = (kafka: FakeKafka, from: ByteReader, node: number) => Buffer

const init: Answer = (kafka, from) => {
  from.tags()
  const id = from.compactString() ?? ''
  const timeout = from.int32()
  const own = { producerId: from.int64(), epoch: from.int16() }
  const { code, producer } = kafka.coordinator.init(id, timeout, own)
  return initReply(producer.producerId, producer.epoch, code)
}

const partitionsIn = (from: ByteReader): TopicPartition[] =>
  from
    .array(() => {
      const topic = from.string() ?? ''
      return from.array(() => ({ topic, partition: from.int32() }))
    })
    .flat()

const add: Answer = (kafka, from) => {
  const id = from.string() ?? ''
  const producer = { producerId: from.int64(), epoch: from.int16() }
  const partitions = partitionsIn(from)
  const unknown = partitions.some(({ topic }) => kafka.topic(topic) === undefined)
  const code = unknown ? CODE.unknownTopicOrPartition : kafka.coordinator.add(id, producer, partitions)
  const out = new ByteWriter().int32(0)
  out.array([...Map.groupBy(partitions, ({ topic }) => topic)], ([topic, members]) =>
    out.string(topic).array(members, ({ partition }) => out.int32(partition).int16(code)),
  )
  return out.done()
}

const produce: Answer = (kafka, from, leader) => {
  const id = from.string() ?? ''
  from.int16()
  from.int32()
  const parts: Addressed[] = from
    .array(() => {
      const topic = from.string() ?? ''
      return from.array(() => {
        const partition = from.int32()
        const bytes = from.slice(from.int32())
        return { topic, partition, bytes, records: 0, leader }
      })
    })
    .flat()
  const { produced } = kafka.produce(id, parts)
  const out = new ByteWriter()
  out.array(produced, ({ topic, partition, code, baseOffset, recordIndexes, detail }) =>
    out.string(topic).array([partition], (one) => {
      out.int32(one).int16(code).int64(baseOffset).int64(-1).int64(0)
      out.array(recordIndexes, (index) => out.int32(index).string('guilty')).string(detail)
    }),
  )
  return out.int32(0).done()
}

const end: Answer = (kafka, from) => {
  const id = from.string() ?? ''
  const producer = { producerId: from.int64(), epoch: from.int16() }
  return endReply(kafka.coordinator.end(id, producer, from.bool() ? 'commit' : 'abort'))
}

const describe: Answer = (kafka, from) => {
  from.tags()
  from.uvarint()
  const id = from.compactString() ?? ''
  return describeReply(kafka.coordinator.isOngoing(id) ? 'Ongoing' : 'Empty')
}

const metadata: Answer = (kafka, from) => {
  from.tags()
  const topics = from.compactArray(() => {
    from.slice(16)
    const topic = from.compactString() ?? ''
    from.tags()
    return topic
  })
  const out = new ByteWriter().tags().int32(0)
  out.compactArray(NODES, (node) =>
    out.int32(node).compactString('localhost').int32(9092).compactString(null).tags(),
  )
  out.compactString(CLUSTER_ID).int32(1)
  out.compactArray(topics, (topic) => {
    const found = kafka.topic(topic)
    out.int16(found === undefined ? CODE.unknownTopicOrPartition : CODE.none).compactString(topic)
    out.uuid(found?.topicId ?? Buffer.alloc(16).toString('base64url')).bool(false)
    out.compactArray([...(found?.logs.entries() ?? [])], ([partition, { leader, leaderEpoch }]) => {
      out.int16(CODE.none).int32(partition).int32(leader).int32(leaderEpoch)
      for (let list = 0; list < 3; list++) out.compactArray([leader], (node) => out.int32(node))
      out.tags()
    })
    out.int32(-1).tags()
  })
  return out.tags().done()
}

const offsets: Answer = (kafka, from, node) => {
  from.int32()
  const isolation = from.int8()
  const out = new ByteWriter().int32(0)
  const asked = from.array(() => {
    const topic = from.string() ?? ''
    const queries = from.array(() => {
      const partition = from.int32()
      from.int32()
      return { partition, timestamp: from.int64() }
    })
    return { topic, queries }
  })
  out.array(asked, ({ topic, queries }) =>
    out.string(topic).array(queries, ({ partition, timestamp }) => {
      const log = kafka.topic(topic)?.logs[partition]
      const mine = log !== undefined && log.leader === node ? log : undefined
      const last = isolation === ISOLATION.committed ? mine?.stable : mine?.end
      const offset = timestamp === EARLIEST ? mine?.start : last
      const code = log === undefined ? CODE.unknownTopicOrPartition : mine ? CODE.none : CODE.notLeader
      out
        .int32(partition)
        .int16(code)
        .int64(-1)
        .int64(offset ?? -1)
        .int32(mine?.leaderEpoch ?? -1)
    }),
  )
  return out.done()
}

const configs: Answer = (kafka, from) => {
  const asked = from.array(() => {
    from.int8()
    return { topic: from.string() ?? '', names: from.array(() => from.string() ?? '') }
  })
  const out = new ByteWriter().int32(0)
  out.array(asked, ({ topic, names }) => {
    const found = kafka.topic(topic)
    out.int16(found === undefined ? CODE.unknownTopicOrPartition : CODE.none).string(null)
    out.int8(2).string(topic)
    out.array(
      Object.entries(found?.config ?? {}).filter(([name]) => names.includes(name)),
      (entry) =>
        out
          .string(entry[0])
          .string(entry[1])
          .bool(false)
          .int8(1)
          .bool(false)
          .array([], () => undefined),
    )
  })
  return out.done()
}

const answers: Readonly<Record<string, Answer>> = {
  InitProducerId: init,
  AddPartitionsToTxn: add,
  Produce: produce,
  EndTxn: end,
  DescribeTransactions: describe,
  Metadata: metadata,
  ListOffsets: offsets,
  DescribeConfigs: configs,
  FindCoordinator: () => coordinatorReply(NODES[0]),
}

/** Whatever is no Fetch: those wait (wire.ts). */
export const answer = (kafka: FakeKafka, name: string, request: Buffer, node: number): Buffer => {
  const act = answers[name]
  if (act === undefined) throw new Error(`the simulated broker does not answer ${name}`)
  return act(kafka, new ByteReader(request), node)
}

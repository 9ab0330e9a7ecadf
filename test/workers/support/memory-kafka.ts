/**
 * As much of Kafka as a shard touches, in memory: logs, a topology that answers from them, and the two ports. The writer
 * keeps the law of its port and notes every step that a real one would take amiss (`broken`); tests decide how the next
 * transaction ends.
 */

import { ByteReader, ByteWriter } from '../../../cluster/kafka/bytes.ts'
import { readHeader } from '../../../cluster/kafka/codec/header.ts'
import { AT, writeInt64 } from '../../../cluster/kafka/codec/layout.ts'
import { type DecodedRecord, decodeAll } from '../../../cluster/kafka/codec/records.ts'
import { CODE } from '../../../cluster/kafka/codes.ts'
import type { PartitionMetadata, TopicMetadata } from '../../../cluster/kafka/requests/metadata.ts'
import { Connections, type RawRequest, type Throttled } from '../../../cluster/kafka/seam.ts'
import { Topology } from '../../../cluster/kafka/topology.ts'

const LEADER = 1

export interface Log {
  start: number
  end: number
  readonly batches: Buffer[]
}
interface Topic {
  id: string
  readonly logs: Log[]
}

const idOf = (text: string): string => Buffer.from(text.padEnd(16, '.').slice(0, 16)).toString('base64url')

export class MemoryKafka {
  readonly #topics = new Map<string, Topic>()
  readonly #listeners = new Set<() => void>()

  make(name: string, partitions: number, generation = ''): void {
    const logs = Array.from({ length: partitions }, () => ({ start: 0, end: 0, batches: [] }))
    this.#topics.set(name, { id: idOf(generation + name), logs })
  }
  addPartition(name: string): void {
    this.topic(name).logs.push({ start: 0, end: 0, batches: [] })
  }
  topic(name: string): Topic {
    const found = this.#topics.get(name)
    if (found === undefined) throw new Error(`no topic ${name}`)
    return found
  }
  byId(id: string): Topic | undefined {
    return [...this.#topics.values()].find((topic) => topic.id === id)
  }
  log(name: string, partition: number): Log {
    const log = this.topic(name).logs[partition]
    if (log === undefined) throw new Error(`no partition ${name}/${partition}`)
    return log
  }
  /** @returns base offset */
  append(name: string, partition: number, batch: Uint8Array): number {
    const log = this.log(name, partition)
    const bytes = Buffer.from(batch)
    const header = readHeader(bytes, 0)
    if (header === undefined) throw new Error('half a batch was produced')
    const base = log.end
    writeInt64(bytes, AT.baseOffset, base)
    log.batches.push(bytes)
    log.end += header.lastOffset - header.baseOffset + 1
    for (const listener of this.#listeners) listener()
    return base
  }
  /** Retention. */
  deleteBefore(name: string, partition: number, offset: number): void {
    this.log(name, partition).start = offset
  }
  records(name: string): (DecodedRecord & { readonly partition: number })[] {
    return this.topic(name).logs.flatMap(({ batches }, partition) =>
      batches.flatMap((batch) => decodeAll(batch).map((record) => ({ ...record, partition }))),
    )
  }
  /** Whole batches that hold something at or above the offset. */
  from(name: string, partition: number, offset: number): Buffer[] {
    return this.log(name, partition).batches.filter(
      (batch) => (readHeader(batch, 0)?.lastOffset ?? -1) >= offset,
    )
  }
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

/** Answers Fetch from the logs, byte for byte as a broker encodes it. */
class MemoryConnections extends Connections {
  readonly #kafka: MemoryKafka
  constructor(kafka: MemoryKafka) {
    super({ brokers: [] })
    this.#kafka = kafka
  }
  override nodeIds(): number[] {
    return [LEADER]
  }
  override async call<T extends Throttled>(_nodeId: number, raw: RawRequest<T>): Promise<T> {
    if (raw.name !== 'Fetch') throw new Error(`the memory Kafka does not answer ${raw.name}`)
    return raw.decode(this.#fetch(new ByteReader(Buffer.concat(raw.body))))
  }
  #fetch(request: ByteReader): Buffer {
    request.tags()
    request.slice(4 * 4 + 1 + 2 * 4)
    const [wanted] = request.compactArray(() => {
      const topicId = request.uuid()
      const [one] = request.compactArray(() => {
        const partition = request.int32()
        request.int32()
        const offset = request.int64()
        request.slice(4 + 8 + 4)
        request.tags()
        return { partition, offset }
      })
      request.tags()
      return { topicId, partition: one?.partition ?? 0, offset: one?.offset ?? 0 }
    })
    if (wanted === undefined) throw new Error('a fetch of nothing')
    return this.#answer(wanted)
  }
  #answer({ topicId, partition, offset }: { topicId: string; partition: number; offset: number }): Buffer {
    const log = this.#kafka.byId(topicId)?.logs[partition]
    const code =
      log === undefined
        ? CODE.unknownTopicId
        : offset < log.start || offset > log.end
          ? CODE.offsetOutOfRange
          : CODE.none
    const records = Buffer.concat(
      code === CODE.none && log
        ? log.batches.filter((batch) => (readHeader(batch, 0)?.lastOffset ?? -1) >= offset)
        : [],
    )
    const end = log?.end ?? -1
    const out = new ByteWriter().tags().int32(0).int16(CODE.none).int32(0)
    out.compactArray([topicId], (id) => {
      out.uuid(id).compactArray([partition], (one) => {
        out
          .int32(one)
          .int16(code)
          .int64(end)
          .int64(end)
          .int64(log?.start ?? -1)
        out.compactArray([], () => undefined)
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
}

export class MemoryTopology extends Topology {
  readonly kafka: MemoryKafka
  cluster = 'cluster-1'
  /** Thrown by the next look at offsets, once. */
  failNext: Error | undefined
  constructor(kafka = new MemoryKafka()) {
    super(new MemoryConnections(kafka))
    this.kafka = kafka
  }
  override get clusterId(): string {
    return this.cluster
  }
  override async topic(name: string): Promise<TopicMetadata> {
    return this.knownTopic(name)
  }
  override knownTopic(name: string): TopicMetadata {
    const { id, logs } = this.kafka.topic(name)
    return { code: 0, topic: name, topicId: id, partitions: logs.map((_, partition) => leaderOf(partition)) }
  }
  override known(name: string, partition: number): PartitionMetadata | undefined {
    return this.knownTopic(name).partitions[partition]
  }
  override async leader(name: string, partition: number): Promise<PartitionMetadata | undefined> {
    return this.known(name, partition)
  }
  override async refresh(): Promise<void> {}
  override async offsets(name: string, partitions: readonly number[]): Promise<Map<number, number>> {
    const failure = this.failNext
    this.failNext = undefined
    if (failure !== undefined) throw failure
    return new Map(partitions.map((partition) => [partition, this.kafka.log(name, partition).start]))
  }
  override async ends(name: string, partitions: readonly number[]): Promise<Map<number, number>> {
    return new Map(partitions.map((partition) => [partition, this.kafka.log(name, partition).end]))
  }
}

const leaderOf = (partition: number): PartitionMetadata => ({
  partition,
  code: 0,
  leader: LEADER,
  leaderEpoch: 0,
  replicas: [LEADER],
})

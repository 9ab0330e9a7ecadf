/**
 * Who leads what: the newest metadata of the topics that were asked for, shared by readers and writers of one cluster.
 * A stale answer is harmless (the broker refuses and the caller says `stale`); refreshes are joined, at most one in flight.
 */
import { MillraceError } from '../errors.ts'
import { CODE, codeName } from './codes.ts'
import { pause } from './failures.ts'
import {
  EARLIEST,
  ISOLATION,
  type Isolation,
  LATEST,
  listOffsetsRequest,
  metadataRequest,
  type PartitionMetadata,
  type TopicMetadata,
} from './requests/metadata.ts'
import type { Connections, RawRequest, Throttled } from './seam.ts'

const REFRESH_PAUSE_MS = 50
/** A broker that stands still must not keep us from asking the next. */
const ANY_TIMEOUT_MS = 3000

export class Topology {
  readonly connections: Connections
  readonly #topics = new Map<string, TopicMetadata>()
  #clusterId = ''
  #refreshing: Promise<void> | undefined
  #wanted = new Set<string>()
  #answered: number | undefined

  constructor(connections: Connections) {
    this.connections = connections
  }

  get clusterId(): string {
    return this.#clusterId
  }

  /** Every known broker, whoever answered last first: one that stands still costs its timeout once. */
  nodeIds(): number[] {
    const last = (nodeId: number): number => Number(nodeId === this.#answered)
    return this.connections.nodeIds().sort((a, b) => last(b) - last(a))
  }

  /** @throws the connection's error when no broker answers, MillraceError `topic-missing` */
  async topic(name: string): Promise<TopicMetadata> {
    if (!this.#topics.has(name)) await this.refresh(name)
    const found = this.#topics.get(name)
    if (found === undefined) throw new MillraceError('topic-missing', `topic ${name} does not exist`)
    return found
  }

  /** Undefined while no leader is known. Never goes out to the broker. */
  known(topic: string, partition: number): PartitionMetadata | undefined {
    const found = this.#topics.get(topic)?.partitions[partition]
    return found !== undefined && found.leader >= 0 ? found : undefined
  }

  knownTopic(topic: string): TopicMetadata | undefined {
    return this.#topics.get(topic)
  }

  async leader(topic: string, partition: number): Promise<PartitionMetadata | undefined> {
    const found = this.known(topic, partition)
    if (found !== undefined) return found
    await this.refresh(topic)
    return this.known(topic, partition)
  }

  /** Asks again; a topic that is gone is forgotten. */
  async refresh(...topics: string[]): Promise<void> {
    for (const topic of topics) this.#wanted.add(topic)
    this.#refreshing ??= this.#ask().finally(() => {
      this.#refreshing = undefined
    })
    await this.#refreshing
    if (topics.some((topic) => this.#wanted.has(topic))) await this.refresh()
  }

  async #ask(): Promise<void> {
    const topics = [...new Set([...this.#wanted, ...this.#topics.keys()])]
    this.#wanted = new Set()
    const reply = await this.askAny(metadataRequest(topics))
    this.#clusterId = reply.clusterId
    for (const topic of topics) this.#topics.delete(topic)
    for (const topic of reply.topics)
      if (topic.code === CODE.none || topic.code === CODE.leaderNotAvailable)
        this.#topics.set(topic.topic, topic)
    const known = new Set(this.connections.nodeIds())
    if (reply.brokers.some((broker) => !known.has(broker.nodeId))) await this.connections.refresh()
    const forbidden = reply.topics.find((topic) => topic.code === CODE.topicAuthorization)
    if (forbidden) throw new MillraceError('kafka-auth', `Kafka refuses to describe topic ${forbidden.topic}`)
  }

  /** What any broker can tell: each is asked until one answers. Rejects with the last one's error. */
  async askAny<T extends Throttled>(request: RawRequest<T>): Promise<T> {
    let last: unknown
    for (const nodeId of this.nodeIds()) {
      try {
        const reply = await this.connections.call(nodeId, { ...request, timeout: ANY_TIMEOUT_MS })
        this.#answered = nodeId
        return reply
      } catch (error) {
        last = error
      }
    }
    await this.connections.refresh()
    throw last ?? new MillraceError('kafka-unreachable', 'no Kafka broker is known')
  }

  /** Log starts (or ends, of what is committed) by partition number. Leader changes are waited for. */
  async offsets(
    topic: string,
    partitions: readonly number[],
    timestamp: number = EARLIEST,
    deadlineMs = 30_000,
    isolation: Isolation = ISOLATION.committed,
  ): Promise<Map<number, number>> {
    const found = new Map<number, number>()
    const until = Date.now() + deadlineMs
    for (;;) {
      const missing = partitions.filter((partition) => !found.has(partition))
      if (missing.length === 0) return found
      if (Date.now() > until)
        throw new MillraceError('timeout', `no leader answers for ${topic}/${missing.join(',')}`)
      await this.#askOffsets(topic, missing, { timestamp, isolation }, found)
      if (found.size < partitions.length) {
        await pause(REFRESH_PAUSE_MS)
        await this.refresh(topic).catch(() => undefined)
      }
    }
  }

  async #askOffsets(
    topic: string,
    partitions: readonly number[],
    { timestamp, isolation }: { readonly timestamp: number; readonly isolation: Isolation },
    found: Map<number, number>,
  ): Promise<void> {
    await this.topic(topic)
    const byLeader = Map.groupBy(partitions, (partition) => this.known(topic, partition)?.leader ?? -1)
    byLeader.delete(-1)
    const calls = [...byLeader].map(async ([leader, members]) => {
      const request = listOffsetsRequest(
        topic,
        members.map((partition) => ({ partition, timestamp })),
        isolation,
      )
      const reply = await this.connections.call(leader, request).catch(() => undefined)
      for (const answer of reply?.answers ?? []) {
        if (answer.code === CODE.topicAuthorization)
          throw new MillraceError('kafka-auth', `Kafka refuses topic ${topic}: ${codeName(answer.code)}`)
        if (answer.code === CODE.none) found.set(answer.partition, answer.offset)
      }
    })
    await Promise.all(calls)
  }

  ends(topic: string, partitions: readonly number[]): Promise<Map<number, number>> {
    return this.offsets(topic, partitions, LATEST)
  }

  /** Ends of all that is written, open transactions included. */
  written(topic: string, partitions: readonly number[]): Promise<Map<number, number>> {
    return this.offsets(topic, partitions, LATEST, undefined, ISOLATION.written)
  }
}

/** What a worker needs for its retries, connected by cli, and what each of its shards gets of it. */
import type { Producer } from 'kafkajs'
import type { EventBus } from '../../cluster/events.ts'
import type { Reader } from '../../cluster/kafka/ports.ts'
import { KafkaReader } from '../../cluster/kafka/reader.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import type { Names } from '../../cluster/protocol/names.ts'
import type { RetryConsumer, RetryQueue, RunJob } from '../../cluster/redis/retry-queue.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { Pool } from '../pool.ts'
import { Batcher } from './batcher.ts'
import { Feed } from './feed.ts'
import { StateRecords } from './parked-records.ts'
import type { Policy } from './policy.ts'
import { ResultSender } from './results.ts'
import { Retrier } from './retrier.ts'

/** The worker closes none of it but the consumer. */
export interface RetryParts {
  readonly queue: RetryQueue
  readonly consume: (run: RunJob) => RetryConsumer
  /** Of the home cluster. */
  readonly producer: Pick<Producer, 'send'>
  /** Of the home cluster, on connections of its own: a fetch that waits would hold up whatever comes behind it. */
  readonly returns: Topology
}

/** A shard's share. */
export interface ShardRetries {
  /** Of the retried topic; its partitions are slots. */
  readonly reader: Reader
  /** Log start of the slot's results. */
  readonly start: () => Promise<number>
  readonly feed: Pick<Feed, 'begin' | 'changed' | 'stop'>
}

export interface RetriesOptions {
  readonly parts: RetryParts
  readonly settings: Settings
  readonly names: Names
  readonly home: Topology
  readonly pool: Pick<Pool, 'runParked'>
  readonly policy: Policy
  readonly maxBytes: number
  readonly events: EventBus
}

/** Jobs that run at a stop may take so long of the grace, and so long to be handed back. */
const RUN_SHARE = 0.35
const STOP_SHARE = 0.6

export class Retries {
  readonly #options: RetriesOptions
  readonly #records: StateRecords
  readonly #results: ResultSender
  readonly #retrier: Retrier
  readonly #reader: KafkaReader
  readonly #consumer: RetryConsumer

  constructor(options: RetriesOptions) {
    const { parts, settings, names, home, pool, policy, maxBytes, events } = options
    this.#options = options
    this.#records = new StateRecords(home, names.state)
    this.#results = new ResultSender(parts.producer, names.retried)
    const batcher = new Batcher(pool, names.input, settings.concurrency)
    const [records, results] = [this.#records, this.#results]
    this.#retrier = new Retrier({ records, batcher, results, policy, maxBytes, events })
    const { fetchBytes, fetchWait } = settings
    this.#reader = new KafkaReader(parts.returns, { topic: names.retried, fetchBytes, fetchWait }, events)
    this.#consumer = parts.consume((data, failed) => this.#retrier.run(data, failed))
  }

  share(slot: number): ShardRetries {
    const { parts, settings, names, policy, events } = this.#options
    const feed = new Feed({
      slot,
      topic: names.input,
      queue: parts.queue,
      records: this.#records,
      results: this.#results,
      policy,
      grace: settings.retryGrace,
      events,
    })
    const start = async () => (await parts.returns.offsets(names.retried, [slot])).get(slot) ?? 0
    return { reader: this.#reader, start, feed }
  }

  /** Takes no more jobs; those that run may end. Before the pool closes. */
  async stop(): Promise<void> {
    const { grace } = this.#options.settings
    this.#retrier.stop(grace * RUN_SHARE)
    await this.#consumer.stop(grace * STOP_SHARE)
  }

  /** After the shards are gone. */
  async close(): Promise<void> {
    await this.#reader.stop()
  }
}

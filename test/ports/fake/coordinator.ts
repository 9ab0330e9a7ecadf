/**
 * The transaction coordinator in memory, with the rules of Kafka 4 that the writer leans on. Of one transactional id:
 * idle -> ongoing (the first partition) -> ending (decided, markers under way: everything is answered with 51) -> idle.
 */
import type { Cancel, Clock } from '../../../cluster/actor/clock.ts'
import { CODE } from '../../../cluster/kafka/codes.ts'
import {
  NO_PRODUCER,
  type Producer,
  type TopicPartition,
} from '../../../cluster/kafka/requests/transactions.ts'

interface Transactional {
  producer: Producer
  /** What the last reopen came from: asked again with it, the answer is the same. */
  before: number
  timeout: number
  state: 'idle' | 'ongoing' | 'ending'
  /** How the last transaction ended: asked again, the answer is the same. */
  ended: 'commit' | 'abort' | undefined
  partitions: Map<string, TopicPartition>
  expiry: Cancel
}

export type Mark = (partition: TopicPartition, producer: Producer, how: 'commit' | 'abort') => void

export class FakeCoordinator {
  readonly #clock: Clock
  readonly #mark: Mark
  readonly #markerMs: number
  readonly #known = new Map<string, Transactional>()
  #nextProducerId = 1

  constructor(clock: Clock, markerMs: number, mark: Mark) {
    this.#clock = clock
    this.#mark = mark
    this.#markerMs = markerMs
  }

  init(id: string, timeout: number, own: Producer): { code: number; producer: Producer } {
    const found = this.#known.get(id)
    if (found === undefined) return this.#register(id, timeout)
    const refused = (code: number) => ({ code, producer: NO_PRODUCER })
    if (found.state === 'ending') return refused(CODE.concurrentTransactions)
    const fences = own.producerId === NO_PRODUCER.producerId
    if (!fences && own.producerId !== found.producer.producerId) return refused(CODE.producerFenced)
    if (found.state === 'ongoing') {
      // As in Kafka, whoever asks: only the producer id is compared here.
      this.#fenceAndAbort(found)
      return refused(CODE.concurrentTransactions)
    }
    if (!fences && own.epoch === found.before) return { code: CODE.none, producer: found.producer }
    if (!fences && own.epoch !== found.producer.epoch) return refused(CODE.producerFenced)
    found.before = fences ? NO_PRODUCER.epoch : found.producer.epoch
    found.producer = next(found.producer)
    found.timeout = timeout
    found.ended = undefined
    return { code: CODE.none, producer: found.producer }
  }

  #register(id: string, timeout: number): { code: number; producer: Producer } {
    const producer = { producerId: this.#nextProducerId++, epoch: 0 }
    this.#known.set(id, {
      producer,
      before: NO_PRODUCER.epoch,
      timeout,
      state: 'idle',
      ended: undefined,
      partitions: new Map(),
      expiry: () => {},
    })
    return { code: CODE.none, producer }
  }

  #fenceAndAbort(found: Transactional): void {
    found.before = found.producer.epoch
    found.producer = next(found.producer)
    this.#finish(found, 'abort')
  }

  add(id: string, producer: Producer, partitions: readonly TopicPartition[]): number {
    const found = this.#owned(id, producer)
    if (typeof found === 'number') return found
    if (found.state === 'ending') return CODE.concurrentTransactions
    if (found.state === 'idle')
      found.expiry = this.#clock.after(found.timeout, () => this.#fenceAndAbort(found), 'holds')
    found.state = 'ongoing'
    for (const { topic, partition } of partitions)
      found.partitions.set(`${topic}/${partition}`, { topic, partition })
    return CODE.none
  }

  /** What a leader asks before it appends. */
  verify(id: string, producer: Producer, { topic, partition }: TopicPartition): number {
    const found = this.#known.get(id)
    if (found?.producer.producerId !== producer.producerId) return CODE.invalidProducerIdMapping
    if (found.producer.epoch !== producer.epoch) return CODE.invalidProducerEpoch
    if (found.state !== 'ongoing' || !found.partitions.has(`${topic}/${partition}`))
      return CODE.invalidTransactionState
    return CODE.none
  }

  end(id: string, producer: Producer, how: 'commit' | 'abort'): number {
    const found = this.#owned(id, producer)
    if (typeof found === 'number') return found
    if (found.state === 'ending') return CODE.concurrentTransactions
    if (found.state === 'idle') return found.ended === how ? CODE.none : CODE.invalidTransactionState
    this.#finish(found, how)
    return CODE.none
  }

  /** Looks only. */
  isOngoing(id: string): boolean {
    return this.#known.get(id)?.state === 'ongoing'
  }

  #owned(id: string, producer: Producer): Transactional | number {
    const found = this.#known.get(id)
    if (found === undefined || found.producer.producerId !== producer.producerId)
      return CODE.invalidProducerIdMapping
    return found.producer.epoch === producer.epoch ? found : CODE.producerFenced
  }

  /** Decided at once; the markers follow. */
  #finish(found: Transactional, how: 'commit' | 'abort'): void {
    found.expiry()
    found.state = 'ending'
    found.ended = how
    this.#clock.after(
      this.#markerMs,
      () => {
        for (const partition of found.partitions.values()) this.#mark(partition, found.producer, how)
        found.partitions = new Map()
        found.state = 'idle'
      },
      'holds',
    )
  }
}

const next = ({ producerId, epoch }: Producer): Producer => ({ producerId, epoch: epoch + 1 })

/**
 * The position of a sink and its dead letters, in one Kafka transaction: a letter stands there once, whatever dies when.
 * The position is the offset of a consumer group, so that lag tools show it; it is the truth here, as the store takes
 * documents twice without harm.
 *
 * Laws: whoever opens fences an older sink of the same name and sees what that one committed; an outcome that is not
 * known is not guessed: the sink opens again and reads the position.
 */
import { type Admin, type Kafka, Partitioners, type Producer } from 'kafkajs'
import { MillraceError, messageOf } from '../cluster/errors.ts'
import { adminFailure, kafkaErrors } from '../cluster/kafka/admin-failures.ts'
import { insist, isLost } from '../cluster/kafka/failures.ts'
import type { SinkNames } from '../cluster/protocol/names.ts'
import { type Letter, slicesOf } from './letters.ts'
import type { Commits } from './sink.ts'

export interface CommitsOptions {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly names: SinkNames
  readonly transactionTimeout: number
}

/** Below every usual max.message.bytes. */
const SLICE_BYTES = 512 * 1024
/** The broker ends a transaction a moment after it has said so: the next one may come too early once or twice. */
const RETRY = { initialRetryTime: 20, retries: 8, factor: 0.2, multiplier: 2 }

export class KafkaCommits implements Commits {
  readonly #producer: Producer
  readonly #options: CommitsOptions

  private constructor(producer: Producer, options: CommitsOptions) {
    this.#producer = producer
    this.#options = options
  }

  static async open(options: CommitsOptions): Promise<KafkaCommits> {
    const producer = options.kafka.producer({
      transactionalId: options.names.transactionalId,
      transactionTimeout: options.transactionTimeout,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: RETRY,
    })
    await producer.connect()
    // The first transaction initialises the producer: that ends what a predecessor left open.
    const first = await producer.transaction()
    await first.abort()
    return new KafkaCommits(producer, options)
  }

  /** Partition -> next offset, of those that have one. */
  async positions(): Promise<ReadonlyMap<number, number>> {
    const { admin, names } = this.#options
    const asked = { groupId: names.group, topics: [names.topic] }
    const [found] = await insist(() => admin.fetchOffsets(asked), isPassing).catch((error: unknown) => {
      throw adminFailure(`cannot read the position of ${names.group}`, error)
    })
    const known = (found?.partitions ?? []).filter(({ offset }) => Number(offset) >= 0)
    return new Map(known.map(({ partition, offset }) => [partition, Number(offset)]))
  }

  async commit(positions: ReadonlyMap<number, number>, letters: readonly Letter[]): Promise<void> {
    const { names } = this.#options
    const partitions = [...positions].map(([partition, next]) => ({ partition, offset: String(next) }))
    try {
      const transaction = await this.#producer.transaction()
      for (const messages of slicesOf(letters, SLICE_BYTES))
        await transaction.send({ topic: names.deadLetters, acks: -1, messages: [...messages] })
      await transaction.sendOffsets({
        consumerGroupId: names.group,
        topics: [{ topic: names.topic, partitions }],
      })
      await transaction.commit()
    } catch (error) {
      throw failureOf(error, names)
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect()
  }
}

/** Groups have a coordinator of their own, which a young cluster must find first. */
const COORDINATOR = /COORDINATOR|LOAD_IN_PROGRESS/
const isPassing = (error: unknown): boolean =>
  isLost(error) || kafkaErrors(error).some((type) => COORDINATOR.test(type))

const FENCED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING']
const FORBIDDEN = /AUTHORIZATION_FAILED$/
const UNWRITABLE = /TOO_LARGE$|^POLICY_VIOLATION$|^INVALID_RECORD$|^INVALID_TIMESTAMP$/

const failureOf = (error: unknown, names: SinkNames): unknown => {
  // A fault of our own must not be taken for Kafka's.
  if (!(error instanceof Error) || !error.name.startsWith('KafkaJS')) return error
  const types = kafkaErrors(error)
  if (types.some((type) => FENCED.includes(type)))
    return new MillraceError('sink-fenced', `another sink writes ${names.topic} into ${names.index}`, {
      cause: error,
    })
  if (types.some((type) => FORBIDDEN.test(type)))
    return new MillraceError('kafka-auth', `Kafka refuses to commit ${names.group}: ${messageOf(error)}`, {
      cause: error,
    })
  if (types.some((type) => UNWRITABLE.test(type)))
    return new MillraceError('topic-mismatch', `${names.deadLetters} takes no letter: ${messageOf(error)}`, {
      remedy: `raise its max.message.bytes above that of ${names.topic}`,
      cause: error,
    })
  return new MillraceError('kafka-unreachable', `cannot commit ${names.group}: ${messageOf(error)}`, {
    cause: error,
  })
}

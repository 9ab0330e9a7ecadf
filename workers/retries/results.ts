/** Sends results of retries to their shards: those that come while one send is under way go together in the next. */
import type { Producer } from 'kafkajs'

export interface ResultMessage {
  /** Partition of the retried topic. */
  readonly slot: number
  readonly key: string
  readonly value: Buffer
}

export interface Results {
  /** Resolves when Kafka has it on every replica that counts. */
  send(message: ResultMessage): Promise<void>
}

const MOST = 500
const ALL_REPLICAS = -1

interface Waiting {
  readonly message: ResultMessage
  readonly settle: PromiseWithResolvers<void>
}

export class ResultSender implements Results {
  readonly #producer: Pick<Producer, 'send'>
  readonly #topic: string
  #waiting: Waiting[] = []
  #busy = false

  /** Twice the same result does no harm: any producer will do. */
  constructor(producer: Pick<Producer, 'send'>, topic: string) {
    this.#producer = producer
    this.#topic = topic
  }

  send(message: ResultMessage): Promise<void> {
    const settle = Promise.withResolvers<void>()
    this.#waiting.push({ message, settle })
    if (!this.#busy) void this.#pump()
    return settle.promise
  }

  async #pump(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) await this.#sendTogether(this.#waiting.splice(0, MOST))
    this.#busy = false
  }

  async #sendTogether(members: readonly Waiting[]): Promise<void> {
    const messages = members.map(({ message: { slot, key, value } }) => ({ partition: slot, key, value }))
    try {
      await this.#producer.send({ topic: this.#topic, acks: ALL_REPLICAS, messages })
      for (const { settle } of members) settle.resolve()
    } catch (error) {
      for (const { settle } of members) settle.reject(error)
    }
  }
}

/**
 * The Writer port on real Kafka: our own transaction code under the rules of protocol P3.
 * States: idle -> open (fence or reopen) -> one transaction at a time -> open ... ; after `fenced`, `unclear` or `halted`
 * nothing is sent any more until `fence()` or `reopen()`.
 * Strict barrier: each step starts after the reply to the one before it. A Produce is never under way beside an EndTxn.
 */

import { stamp } from './codec/stamp.ts'
import { CODE } from './codes.ts'
import { Coordinator, type Failure } from './coordinator.ts'
import { pause, untilDeadline } from './failures.ts'
import type { Opened, Part, TransactResult, Writer } from './ports.ts'
import { produceAll } from './produce.ts'
import {
  addPartitionsRequest,
  describeTransactionRequest,
  endTransactionRequest,
  initProducerIdRequest,
  NO_PRODUCER,
  type Producer,
} from './requests/transactions.ts'
import type { Topology } from './topology.ts'

export interface WriterOptions {
  readonly transactionalId: string
  /** ms after which the broker aborts an open transaction by itself. */
  readonly transactionTimeout: number
  readonly requestTimeout: number
  /** Asked before every InitProducerId that fences: false where the own lease is not fresh. A zombie must not fence its successor. */
  readonly mayFence?: () => boolean
}

type Step = { readonly result: 'ok' } | Failure

const UNKNOWN_PAUSE_MS = 50
const KNOWN_TOPIC_PATIENCE_MS = 5000
/** What EndTxn(abort) says to the owner where there is nothing to abort, or where the broker has forgotten an idle id. */
const NOTHING_OPEN = [CODE.invalidTransactionState, CODE.invalidProducerIdMapping]

const OK = { result: 'ok' } as const
const codeOf = ({ code }: { readonly code: number }): number => code

export class TransactionWriter implements Writer {
  readonly #topology: Topology
  readonly #options: WriterOptions
  readonly #sequences = new Map<string, number>()
  readonly #coordinator: Coordinator
  #producer: Producer = NO_PRODUCER
  /** Calls that were lost under earlier epochs. */
  #lostBefore = 0
  #usable = false
  #busy = false

  /** @param topology on connections of this writer's lane: produces must not share a socket with fetches */
  constructor(topology: Topology, options: WriterOptions) {
    this.#topology = topology
    this.#options = options
    this.#coordinator = new Coordinator(topology, options.transactionalId, options.requestTimeout)
  }

  fence(): Promise<Opened> {
    return this.#open(NO_PRODUCER)
  }

  reopen(): Promise<Opened> {
    return this.#open(this.#producer)
  }

  async #open(own: Producer): Promise<Opened> {
    this.#usable = false
    const { transactionalId, transactionTimeout, mayFence } = this.#options
    const deadline = Date.now() + this.#options.transactionTimeout
    const fences = own.producerId === NO_PRODUCER.producerId
    const ended = fences ? OK : await this.#abortOwn(own, deadline)
    if (ended.result !== 'ok') return ended
    const request = initProducerIdRequest(transactionalId, transactionTimeout, own)
    const allowed = () => !fences || mayFence === undefined || mayFence()
    const reply = await this.#coordinator.call(request, codeOf, { deadline, allowed })
    if ('result' in reply) return reply
    this.#producer = reply.producer
    this.#lostBefore = this.#coordinator.lost
    this.#sequences.clear()
    this.#usable = true
    return { result: 'open' }
  }

  /**
   * While a transaction is open, InitProducerId compares the producer id alone and aborts it, whoever asks: a zombie would
   * fence its successor. EndTxn compares the epoch too, so the own transaction is ended by it. Where it is refused, a
   * successor has come, or the epoch was raised for us (the broker aborted after the transaction timeout; the reply to an
   * earlier reopen was lost). InitProducerId tells these apart, and harms nobody while nothing is open.
   */
  async #abortOwn(own: Producer, deadline: number): Promise<Step> {
    const { transactionalId } = this.#options
    const abort = endTransactionRequest(transactionalId, own, false)
    const ended = await this.#coordinator.call(abort, codeOf, { deadline, passed: NOTHING_OPEN })
    if (!('result' in ended)) return OK
    if (ended.result !== 'fenced') return ended
    const found = await this.#coordinator.call(describeTransactionRequest(transactionalId), codeOf, {
      deadline,
    })
    if ('result' in found) return found
    return found.state === 'Ongoing' ? ended : OK
  }

  async transact(parts: readonly Part[]): Promise<TransactResult> {
    if (!this.#usable || this.#busy)
      throw new Error(this.#busy ? 'one transaction at a time' : 'the writer is not open')
    this.#busy = true
    this.#coordinator.concurrentRetries = 0
    try {
      const renewed = await this.#renew()
      if (renewed.result !== 'open') return renewed
      const result = await this.#run(parts, Date.now() + this.#options.transactionTimeout / 2)
      this.#usable = result.result === 'committed'
      return result
    } finally {
      this.#busy = false
    }
  }

  /**
   * An EndTxn that was asked again may still be under way, and commits whatever it finds open under its epoch: half of the next
   * transaction (seen in simulation: a position without its outputs). So the next one has another epoch, which it does not.
   */
  async #renew(): Promise<Opened> {
    if (this.#coordinator.lost === this.#lostBefore) return { result: 'open' }
    return this.#open(this.#producer)
  }

  async #run(parts: readonly Part[], deadline: number): Promise<TransactResult> {
    // A topic made a moment ago may not have reached every broker yet.
    const unknownUntil = Math.min(deadline, Date.now() + KNOWN_TOPIC_PATIENCE_MS)
    const added = await this.#addPartitions(parts, deadline, unknownUntil)
    if (added.result !== 'ok') return added
    this.#stampAll(parts)
    const { transactionalId, requestTimeout } = this.#options
    const produced = await produceAll(parts, {
      topology: this.#topology,
      transactionalId,
      deadline,
      unknownUntil,
      requestTimeout,
    })
    if (produced.result !== 'produced') return produced
    const end = endTransactionRequest(transactionalId, this.#producer, true)
    const ended = await this.#coordinator.call(end, codeOf, { deadline })
    if ('result' in ended) return ended
    const { concurrentRetries } = this.#coordinator
    return { result: 'committed', offsets: produced.offsets, concurrentRetries }
  }

  async #addPartitions(parts: readonly Part[], deadline: number, unknownUntil: number): Promise<Step> {
    const unique = [
      ...new Map(
        parts.map((part) => [
          `${part.topic}/${part.partition}`,
          { topic: part.topic, partition: part.partition },
        ]),
      ).values(),
    ]
    await untilDeadline(
      deadline,
      Promise.allSettled(unique.map((one) => this.#topology.leader(one.topic, one.partition))),
    )
    const request = addPartitionsRequest(this.#options.transactionalId, this.#producer, unique)
    for (;;) {
      const reply = await this.#coordinator.call(request, (answer) => worst(answer.codes), {
        deadline,
        passed: [CODE.unknownTopicOrPartition],
      })
      if ('result' in reply) return reply
      const code = worst(reply.codes)
      if (code === CODE.none) return { result: 'ok' }
      if (Date.now() > unknownUntil)
        return {
          result: 'halted',
          code,
          detail: `a topic of ${unique.map((one) => one.topic).join(', ')} does not exist`,
        }
      await pause(UNKNOWN_PAUSE_MS)
    }
  }

  #stampAll(parts: readonly Part[]): void {
    for (const part of parts) {
      const key = `${part.topic}/${part.partition}`
      const sequence = this.#sequences.get(key) ?? 0
      stamp(part.bytes, this.#producer.producerId, this.#producer.epoch, sequence)
      this.#sequences.set(key, nextSequence(sequence, part.records))
    }
  }

  async close(): Promise<void> {
    this.#usable = false
  }
}

/** Sequences wrap at 2^31, as Kafka's own producer does. */
export const nextSequence = (sequence: number, records: number): number => (sequence + records) % 2 ** 31

/** The code that decides a reply with one code a partition: the first real one ("not attempted" only echoes another). */
const worst = (codes: readonly number[]): number => {
  const failed = codes.filter((code) => code !== CODE.none)
  return failed.find((code) => code !== CODE.operationNotAttempted) ?? failed[0] ?? CODE.none
}

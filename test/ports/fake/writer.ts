/** The Writer port on the fake: the same steps, the same barrier, the same reading of codes as on real Kafka, in virtual time. */
import { sleep } from '../../../cluster/actor/clock.ts'
import { stamp } from '../../../cluster/kafka/codec/stamp.ts'
import {
  CODE,
  isFenced,
  isForbidden,
  isProduceRetriable,
  isUnwritable,
} from '../../../cluster/kafka/codes.ts'
import type { Opened, Part, TransactResult, Writer } from '../../../cluster/kafka/ports.ts'
import { rounds } from '../../../cluster/kafka/produce.ts'
import { NO_PRODUCER, type Produced, type Producer } from '../../../cluster/kafka/requests/transactions.ts'
import { nextSequence } from '../../../cluster/kafka/writer.ts'
import type { Step, WriterChoice } from '../world.ts'
import type { Reply } from './faults.ts'
import type { FakeKafka } from './kafka.ts'

type Failure = Exclude<TransactResult, { readonly result: 'committed' }>
type Ending = Exclude<Failure, { readonly result: 'refused' }>

const CONCURRENT_MS = 1
const AGAIN_MS = 20
const NOTHING_OPEN = [CODE.invalidTransactionState, CODE.invalidProducerIdMapping]

export class FakeWriter implements Writer {
  readonly #kafka: FakeKafka
  readonly #id: string
  readonly #choice: Required<WriterChoice>
  readonly #leaders = new Map<string, number>()
  readonly #sequences = new Map<string, number>()
  #producer: Producer = NO_PRODUCER
  #state: 'closed' | 'open' | 'busy' = 'closed'
  #retries = 0

  constructor(kafka: FakeKafka, transactionalId: string, choice: WriterChoice = {}) {
    this.#kafka = kafka
    this.#id = transactionalId
    this.#choice = { transactionTimeout: 20_000, requestTimeout: 5000, mayFence: () => true, ...choice }
  }

  fence(): Promise<Opened> {
    return this.#open(NO_PRODUCER)
  }
  reopen(): Promise<Opened> {
    return this.#open(this.#producer)
  }
  async close(): Promise<void> {
    this.#state = 'closed'
  }

  async #open(own: Producer): Promise<Opened> {
    this.#state = 'closed'
    const { coordinator, clock } = this.#kafka
    const deadline = clock.now() + this.#choice.transactionTimeout
    const fences = own.producerId === NO_PRODUCER.producerId
    if (!fences) {
      const abort = () => ({ code: coordinator.end(this.#id, own, 'abort') })
      const owner = await this.#repeat('end', deadline, abort, NOTHING_OPEN)
      const raised = 'result' in owner && owner.result === 'fenced' && !coordinator.isOngoing(this.#id)
      if ('result' in owner && !raised) return owner
    }
    const init = () => coordinator.init(this.#id, this.#choice.transactionTimeout, own)
    const reply = await this.#repeat('init', deadline, init, [], () => !fences || this.#choice.mayFence())
    if ('result' in reply) return reply
    this.#producer = reply.producer ?? own
    this.#sequences.clear()
    this.#state = 'open'
    return { result: 'open' }
  }

  async transact(parts: readonly Part[]): Promise<TransactResult> {
    if (this.#state !== 'open')
      throw new Error(this.#state === 'busy' ? 'one transaction at a time' : 'the writer is not open')
    this.#state = 'busy'
    this.#retries = 0
    const { now } = this.#kafka.clock
    const result = await this.#run(parts, now() + this.#choice.transactionTimeout / 2)
    this.#state = result.result === 'committed' ? 'open' : 'closed'
    return result
  }

  async #run(parts: readonly Part[], deadline: number): Promise<TransactResult> {
    const { coordinator } = this.#kafka
    const add = () => ({ code: coordinator.add(this.#id, this.#producer, parts) })
    const added = await this.#repeat('add', deadline, add)
    if ('result' in added) return added
    for (const part of parts) this.#stamp(part)
    const offsets = new Array<number>(parts.length).fill(-1)
    for (const round of rounds(parts)) {
      const failure = await this.#produce(parts, round, offsets, deadline)
      if (failure !== undefined) return failure
    }
    const end = () => ({ code: coordinator.end(this.#id, this.#producer, 'commit') })
    const ended = await this.#repeat('end', deadline, end)
    if ('result' in ended) return ended
    return { result: 'committed', offsets, concurrentRetries: this.#retries }
  }

  #stamp(part: Part): void {
    const key = `${part.topic}/${part.partition}`
    const sequence = this.#sequences.get(key) ?? 0
    stamp(part.bytes, this.#producer.producerId, this.#producer.epoch, sequence)
    this.#sequences.set(key, nextSequence(sequence, part.records))
  }

  async #produce(
    parts: readonly Part[],
    round: readonly number[],
    offsets: number[],
    deadline: number,
  ): Promise<Failure | undefined> {
    for (let left = round; left.length > 0; ) {
      if (this.#kafka.clock.now() >= deadline) return { result: 'unclear', reason: 'no produce reply' }
      const batches = left.flatMap((index) => this.#addressed(parts[index]))
      const work = () => this.#kafka.produce(this.#id, batches)
      const refused = (code: number) => ({
        code,
        produced: batches.map((one) => ({ ...one, code, baseOffset: -1, recordIndexes: [], detail: '' })),
      })
      const reply = await this.#kafka.faults.call('produce', this.#timeLeft(deadline), work, refused)
      const verdict = judge(left, reply?.produced, offsets)
      if (!Array.isArray(verdict)) return verdict
      left = verdict
      if (left.length > 0) await this.#relearn()
    }
    return undefined
  }

  #addressed(part: Part | undefined) {
    if (part === undefined) return []
    const key = `${part.topic}/${part.partition}`
    const leader = this.#leaders.get(key) ?? this.#kafka.topic(part.topic)?.logs[part.partition]?.leader ?? -1
    this.#leaders.set(key, leader)
    return [{ ...part, leader, bytes: part.bytes.slice() }]
  }

  async #relearn(): Promise<void> {
    this.#leaders.clear()
    await sleep(this.#kafka.clock, AGAIN_MS)
  }

  #timeLeft(deadline: number): number {
    return Math.max(1, Math.min(this.#choice.requestTimeout, deadline - this.#kafka.clock.now()))
  }

  async #repeat<T extends { readonly code: number; readonly producer?: Producer }>(
    step: Step,
    deadline: number,
    work: () => T,
    passed: readonly number[] = [],
    allowed: () => boolean = () => true,
  ): Promise<(Reply & { readonly producer?: Producer }) | Ending> {
    const { clock, faults } = this.#kafka
    while (clock.now() < deadline) {
      if (!allowed()) return { result: 'unclear', reason: 'the own lease is not fresh' }
      const reply = await faults.call<Reply & { readonly producer?: Producer }>(
        step,
        this.#timeLeft(deadline),
        work,
        (code) => ({ code }),
      )
      if (reply === undefined) await sleep(clock, AGAIN_MS)
      else if (reply.code === CODE.none || passed.includes(reply.code)) return reply
      else if (isFenced(reply.code)) return { result: 'fenced', code: reply.code }
      else if (isForbidden(reply.code)) return { result: 'halted', code: reply.code, detail: step }
      else if (reply.code !== CODE.concurrentTransactions)
        return { result: 'unclear', reason: `${step}: ${reply.code}` }
      else {
        this.#retries++
        await sleep(clock, CONCURRENT_MS)
      }
    }
    return { result: 'unclear', reason: `${step} was not answered before the deadline` }
  }
}

/** The parts to send again, or what forbids the commit. */
const judge = (
  sent: readonly number[],
  produced: readonly Produced[] | undefined,
  offsets: number[],
): number[] | Failure => {
  if (produced === undefined) return [...sent]
  const again: number[] = []
  for (const [at, part] of sent.entries()) {
    const { code = -1, baseOffset = -1, recordIndexes = [] } = produced[at] ?? {}
    const detail = `${code}`
    if (code === CODE.none) offsets[part] = baseOffset
    else if (isProduceRetriable(code)) again.push(part)
    else if (isFenced(code)) return { result: 'fenced', code }
    else if (isUnwritable(code)) return { result: 'refused', part, code, detail, recordIndexes }
    else if (isForbidden(code) || code === CODE.unknownTopicOrPartition)
      return { result: 'halted', code, detail }
    else return { result: 'unclear', reason: detail }
  }
  return again
}

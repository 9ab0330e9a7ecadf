/**
 * Kafka in memory: topics of real record batches, a transaction coordinator, leaders that move, faults on order.
 * Nothing in it is random and no time passes but its clock's, so that a simulation can run on virtual time.
 */
import { EventEmitter } from 'node:events'
import type { Clock } from '../../../cluster/actor/clock.ts'
import { readHeader } from '../../../cluster/kafka/codec/header.ts'
import { AT } from '../../../cluster/kafka/codec/layout.ts'
import { decodeAll } from '../../../cluster/kafka/codec/records.ts'
import { CODE } from '../../../cluster/kafka/codes.ts'
import type { Part } from '../../../cluster/kafka/ports.ts'
import type { FetchedPartition, FetchPartition } from '../../../cluster/kafka/requests/fetch.ts'
import type { Produced } from '../../../cluster/kafka/requests/transactions.ts'
import type { TopicOptions } from '../world.ts'
import { FakeCoordinator } from './coordinator.ts'
import { Faults } from './faults.ts'
import { FakeLog } from './log.ts'

export interface FakeTopic {
  readonly topicId: string
  readonly logs: readonly FakeLog[]
  readonly config: Readonly<Record<string, string>>
}

/** Where a client believes a partition's leader to be. */
export interface Addressed extends Part {
  readonly leader: number
}

const DEFAULT_MAX_BYTES = 2 ** 20
const MARKER_MS = 1

export class FakeKafka {
  readonly clock: Clock
  readonly faults: Faults
  readonly coordinator: FakeCoordinator
  /** Emits `more` when anything has been decided, moved or deleted. */
  readonly signal = new EventEmitter().setMaxListeners(0)
  readonly #topics = new Map<string, FakeTopic>()
  #made = 0

  constructor(clock: Clock, markerMs = MARKER_MS) {
    this.clock = clock
    this.faults = new Faults(clock)
    this.coordinator = new FakeCoordinator(clock, markerMs, ({ topic, partition }, producer, how) => {
      this.#topics.get(topic)?.logs[partition]?.mark(producer, how, clock.wall())
      this.signal.emit('more')
    })
  }

  makeTopic(topic: string, { partitions = 1, config = {} }: TopicOptions = {}): void {
    if (this.#topics.has(topic)) throw new Error(`topic ${topic} exists`)
    const id = Buffer.alloc(16)
    id.writeUInt32BE(++this.#made, 12)
    const logs = Array.from({ length: partitions }, () => new FakeLog())
    this.#topics.set(topic, { topicId: id.toString('base64url'), logs, config })
  }
  addPartition(topic: string): void {
    const found = this.#topics.get(topic)
    if (found !== undefined) this.#topics.set(topic, { ...found, logs: [...found.logs, new FakeLog()] })
  }
  deleteTopic(topic: string): void {
    this.#topics.delete(topic)
    this.signal.emit('more')
  }
  topic(name: string): FakeTopic | undefined {
    return this.#topics.get(name)
  }
  byId(topicId: string): FakeTopic | undefined {
    return [...this.#topics.values()].find((each) => each.topicId === topicId)
  }
  /** @throws where there is none */
  log(topic: string, partition: number): FakeLog {
    const log = this.#topics.get(topic)?.logs[partition]
    if (log === undefined) throw new Error(`there is no ${topic}/${partition}`)
    return log
  }
  moveLeader(topic: string, partition: number): void {
    const log = this.log(topic, partition)
    log.leader++
    log.leaderEpoch++
    this.signal.emit('more')
  }

  /** A batch of no transaction: what a plain producer writes. */
  put(topic: string, partition: number, bytes: Uint8Array): void {
    this.log(topic, partition).append(bytes)
    this.signal.emit('more')
  }

  /** Each batch by itself, as a broker does: some may be refused while others are written. */
  produce(transactionalId: string, parts: readonly Addressed[]): { code: number; produced: Produced[] } {
    return { code: CODE.none, produced: parts.map((part) => this.#produceOne(transactionalId, part)) }
  }

  #produceOne(transactionalId: string, part: Addressed): Produced {
    const { topic, partition, bytes } = part
    const found = this.#topics.get(topic)
    const log = found?.logs[partition]
    const answer = (code: number, baseOffset = -1, recordIndexes: number[] = []): Produced => ({
      topic,
      partition,
      code,
      baseOffset,
      recordIndexes,
      detail: '',
    })
    if (found === undefined || log === undefined) return answer(CODE.unknownTopicOrPartition)
    if (log.leader !== part.leader) return answer(CODE.notLeader)
    const wrong = this.#unwritable(found, bytes)
    if (wrong !== undefined) return answer(wrong.code, -1, wrong.indexes)
    const header = readHeader(Buffer.from(bytes), 0)
    const producer = { producerId: header?.producerId ?? -1, epoch: header?.producerEpoch ?? -1 }
    const verified = this.coordinator.verify(transactionalId, producer, part)
    if (verified !== CODE.none) return answer(verified)
    const { code, base } = log.append(bytes)
    return answer(code, base)
  }

  #unwritable({ config }: FakeTopic, bytes: Uint8Array): { code: number; indexes: number[] } | undefined {
    if (bytes.length > Number(config['max.message.bytes'] ?? DEFAULT_MAX_BYTES) + AT.crc)
      return { code: CODE.messageTooLarge, indexes: [] }
    const ahead = Number(config['message.timestamp.after.max.ms'] ?? Number.POSITIVE_INFINITY)
    const latest = this.clock.wall() + ahead
    if (latest === Number.POSITIVE_INFINITY && config['cleanup.policy'] !== 'compact') return undefined
    const records = decodeAll(Buffer.from(bytes))
    const which = (is: (record: (typeof records)[number]) => boolean) =>
      records.flatMap((record, index) => (is(record) ? [index] : []))
    const late = which(({ timestamp }) => timestamp > latest)
    if (late.length > 0) return { code: CODE.invalidTimestamp, indexes: late }
    const keyless = config['cleanup.policy'] === 'compact' ? which(({ key }) => key === null) : []
    return keyless.length > 0 ? { code: CODE.invalidRecord, indexes: keyless } : undefined
  }

  /** By topic id: a topic made again does not answer for the old one. */
  fetch(wanted: readonly (FetchPartition & { readonly leader: number })[]): {
    code: number
    partitions: FetchedPartition[]
  } {
    return { code: CODE.none, partitions: wanted.map((one) => this.#fetchOne(one)) }
  }

  #fetchOne(one: FetchPartition & { readonly leader: number }): FetchedPartition {
    const { topicId, partition, offset } = one
    const log = this.byId(topicId)?.logs[partition]
    const empty = { records: Buffer.alloc(0), aborted: [] }
    if (log === undefined)
      return {
        topicId,
        partition,
        code: CODE.unknownTopicId,
        lastStableOffset: -1,
        logStartOffset: -1,
        ...empty,
      }
    const where = { topicId, partition, lastStableOffset: log.stable, logStartOffset: log.start }
    if (log.leader !== one.leader) return { ...where, code: CODE.notLeader, ...empty }
    if (offset < log.start || offset > log.end) return { ...where, code: CODE.offsetOutOfRange, ...empty }
    return { ...where, code: CODE.none, ...log.read(offset, one.maxBytes) }
  }
}

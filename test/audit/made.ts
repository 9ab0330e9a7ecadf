/**
 * Topics and views of a pipeline, written by hand: an honest worker in few lines, so that tests can be dishonest, one
 * record at a time. The audit sees no difference.
 */

import type { Redis } from 'ioredis'
import {
  type Admin,
  CompressionTypes,
  Kafka,
  logLevel,
  type Message,
  Partitioners,
  type Producer,
} from 'kafkajs'
import { type AuditDeps, audit } from '../../audit/audit.ts'
import type { AuditReport } from '../../audit/report.ts'
import { connectTopology } from '../../cli/host.ts'
import { createInput, ensureTopics } from '../../cluster/kafka/admin.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import type { DropRange } from '../../cluster/protocol/drops.ts'
import { type BatchName, formatBatch, formatOrigin, HEADER } from '../../cluster/protocol/headers.ts'
import { type Names, namesOf } from '../../cluster/protocol/names.ts'
import { type Meta, type Position, stateKey } from '../../cluster/protocol/state.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { viewPublisher } from '../../cluster/redis/views.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import { type Aggregates, definitionHash, encode, sizeOf } from '../../pipelines/api/aggregates.ts'
import type { AnyPipeline, JsonObject } from '../../pipelines/api/define.ts'
import { errorClassOf, eventTimeOf } from '../../pipelines/api/execute.ts'
import { Folder, type WindowPart } from '../../pipelines/api/folder.ts'
import { type SharedServices, uniqueName } from '../support/services.ts'

export interface MadeOptions {
  readonly partitions?: number
  /** Of topics before Millrace makes its own: settings by name, without the prefix. */
  readonly topics?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export interface Answered {
  readonly value: JsonObject
  readonly late?: readonly string[]
  /** Runs it took. */
  readonly attempts?: number
}
export type Became = Answered | 'dead' | 'drop'

/** Code of whatever is dead or dropped and names no other. */
const SAID_SO = 'said-so'

const windowed = ({ aggregates = {} }: AnyPipeline): Aggregates =>
  Object.fromEntries(Object.entries(aggregates).filter(([, { span }]) => span !== 'batch'))

export const settingsFor = (services: SharedServices, more: Partial<Settings> = {}): Settings => ({
  ...readSettings({}),
  kafkaBrokers: services.kafka,
  redisUrl: services.redis,
  topicPrefix: `${uniqueName('audit')}.`,
  clusterId: uniqueName('audit'),
  ...more,
})

export class Made implements AsyncDisposable {
  readonly settings: Settings
  readonly pipeline: AnyPipeline
  readonly names: Names
  readonly input: Topology
  readonly home: Topology
  readonly redis: Redis
  readonly admin: Admin
  readonly kafka: Kafka
  readonly #producer: Producer
  readonly #folders = new Map<number, Folder>()

  private constructor(parts: {
    settings: Settings
    pipeline: AnyPipeline
    names: Names
    input: Topology
    home: Topology
    redis: Redis
    admin: Admin
    kafka: Kafka
    producer: Producer
  }) {
    this.settings = parts.settings
    this.pipeline = parts.pipeline
    this.names = parts.names
    this.input = parts.input
    this.home = parts.home
    this.redis = parts.redis
    this.admin = parts.admin
    this.kafka = parts.kafka
    this.#producer = parts.producer
  }

  static async open(
    services: SharedServices,
    pipeline: AnyPipeline,
    { partitions = 1, topics = {} }: MadeOptions = {},
  ): Promise<Made> {
    const settings = settingsFor(services, { partitions })
    const names = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix)
    const kafka = new Kafka({ brokers: [...services.kafka], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    for (const [topic, configs] of Object.entries(topics)) {
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
      const own = { topic: settings.topicPrefix + topic, numPartitions: partitions, configEntries }
      await admin.createTopics({ topics: [own] })
    }
    await createInput(admin, names.input, settings)
    await ensureTopics({ input: admin, home: admin }, names, settings)
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    const [input, home] = [await connectTopology(settings, 'input'), await connectTopology(settings, 'home')]
    const redis = await connectRedis(settings)
    const made = new Made({ settings, pipeline, names, input, home, redis, admin, kafka, producer })
    await made.#begin(partitions)
    return made
  }

  async #begin(slots: number): Promise<void> {
    const { topicId } = await this.input.topic(this.names.input)
    const meta: Meta = {
      format: 1,
      millrace: '0.0.0',
      slots,
      inputClusterId: this.input.clusterId,
      inputTopicId: topicId,
      outputMapping: this.names.output === undefined ? 'none' : 'same',
      definitions: {},
    }
    for (let slot = 0; slot < slots; slot++) await this.state(slot, stateKey.meta, meta)
  }

  async send(
    topic: string | undefined,
    partition: number,
    messages: readonly Message[],
    compression = CompressionTypes.None,
  ): Promise<number> {
    if (topic === undefined) throw new Error('no such topic')
    const [reply] = await this.#producer.send({
      topic,
      compression,
      messages: messages.map((message) => ({ ...message, partition })),
    })
    return Number(reply?.baseOffset)
  }

  /** Records into the input; returns the offset of the first. */
  ask(partition: number, count: number): Promise<number> {
    return this.askFor(partition, Array<string>(count).fill('asked'))
  }

  askFor(partition: number, values: readonly (string | JsonObject)[]): Promise<number> {
    const messages = values.map((value) => ({
      key: 'k',
      value: typeof value === 'string' ? value : JSON.stringify(value),
    }))
    return this.send(this.names.input, partition, messages)
  }

  origin(partition: number, offset: number): Record<string, string> {
    return { [HEADER.origin]: formatOrigin({ topic: this.names.input, partition, offset }) }
  }

  async output(partition: number, offset: number, { value, late = [], attempts }: Answered): Promise<void> {
    const headers = {
      ...this.origin(partition, offset),
      ...(attempts !== undefined && { [HEADER.attempts]: String(attempts) }),
      ...(late.length > 0 && { [HEADER.late]: late.join(',') }),
    }
    await this.send(this.names.output, partition, [{ key: 'k', value: JSON.stringify(value), headers }])
  }

  async letter(partition: number, offset: number, code = SAID_SO, attempts = 1): Promise<void> {
    const headers = {
      ...this.origin(partition, offset),
      [HEADER.errorCode]: code,
      [HEADER.attempts]: String(attempts),
    }
    await this.send(this.names.deadLetters, partition, [{ key: 'k', value: 'asked', headers }])
  }

  async drop(range: Omit<DropRange, 'code'>): Promise<void> {
    const value = JSON.stringify({ ...range, code: range.fate ?? SAID_SO })
    await this.send(this.names.drops, range.partition, [{ key: String(range.partition), value }])
  }

  /** One batch of insights by count, in so many messages of one commit. */
  async say({ slot, number, records }: BatchName, { messages = 2, at = Date.now(), partition = 0 } = {}) {
    const headers = {
      [HEADER.pipeline]: this.pipeline.name,
      [HEADER.batch]: formatBatch({ slot, number, records }),
    }
    const said = Array.from({ length: messages }, () => ({ value: '{}', timestamp: String(at), headers }))
    await this.send(this.names.insights, partition, said)
  }

  /** Returns the offset of the record. */
  state(slot: number, key: string, value: unknown, written = Date.now()): Promise<number> {
    const text = value === null ? null : JSON.stringify(value)
    return this.send(this.names.state, slot, [{ key, value: text, timestamp: String(written) }])
  }

  /** What an honest worker does with consecutive records: fates, position, windows, views. One slot a partition. */
  async work(partition: number, first: number, fates: readonly Became[]): Promise<void> {
    const folder = this.#folderOf(partition)
    for (const [i, fate] of fates.entries()) {
      const offset = first + i
      if (fate === 'dead') {
        await this.letter(partition, offset)
        folder.error(errorClassOf(this.pipeline, SAID_SO))
      } else if (fate === 'drop') await this.drop({ partition, from: offset, to: offset })
      else {
        if (this.names.output !== undefined) await this.output(partition, offset, fate)
        else await this.drop({ ...fate, partition, from: offset, to: offset, fate: 'done' })
        folder.recount(fate.value, eventTimeOf(this.pipeline, fate.value, 0), fate.late ?? [])
      }
    }
    const answered = fates.filter((fate) => typeof fate === 'object')
    const position = await this.position(partition, {
      next: first + fates.length,
      counters: {
        done: answered.length,
        dead: fates.filter((fate) => fate === 'dead').length,
        dropped: fates.filter((fate) => fate === 'drop').length,
        late: answered.filter(({ late = [] }) => late.length > 0).length,
        parked: 0,
      },
    })
    const windows = folder.take().windows
    await this.publish(partition, windows, position, await this.windows(partition, windows))
  }

  #folderOf(slot: number): Folder {
    const folder = this.#folders.get(slot) ?? new Folder(windowed(this.pipeline), { watermark: 0, now: 0 })
    this.#folders.set(slot, folder)
    return folder
  }

  async position(partition: number, some: Partial<Position>): Promise<Position> {
    const { topicId } = await this.input.topic(this.names.input)
    const counters = { done: 0, dead: 0, dropped: 0, late: 0, parked: 0 }
    const whole = { next: 0, first: 0, topicId, leaderEpoch: 0, retried: 0, counters, watermark: 0, ...some }
    await this.state(partition, stateKey.position(partition), whole)
    return whole
  }

  async windows(slot: number, windows: readonly WindowPart[], written?: number): Promise<readonly number[]> {
    const offsets: number[] = []
    for (const part of windows) {
      const { key, hash, json } = this.#stored(part)
      offsets.push(await this.state(slot, key, { hash, value: json }, written))
    }
    return offsets
  }

  #stored({ aggregate: name, start, value }: WindowPart) {
    const aggregate = this.pipeline.aggregates?.[name]
    if (aggregate === undefined) throw new Error(`no aggregate ${name}`)
    const size = sizeOf(aggregate)
    const key = stateKey.window(name, size, start)
    return { key, size, hash: definitionHash(aggregate), json: encode(aggregate, value) }
  }

  async publish(
    slot: number,
    windows: readonly WindowPart[],
    { watermark }: Position,
    offsets: readonly number[],
  ): Promise<void> {
    const { topicId: stateTopicId } = await this.home.topic(this.names.state)
    const source = { pipeline: this.pipeline.name, slot, stateTopicId, epoch: 1 }
    const views = windows.map((part, i) => {
      const { size, json } = this.#stored(part)
      return {
        aggregate: part.aggregate,
        size,
        start: part.start,
        offset: offsets[i] ?? 0,
        value: json,
        lifeMs: 0,
      }
    })
    const publisher = viewPublisher(this.redis, keysOf(this.settings.clusterId), source)
    await publisher.publish({ windows: views, watermark, floors: {}, full: true })
  }

  audit(more: Partial<AuditDeps> = {}): Promise<AuditReport> {
    const { input, home, names, pipeline, redis, settings } = this
    const own = { input, home, names, pipeline, name: pipeline.name, redis, clusterId: settings.clusterId }
    return audit({ ...own, wait: 0, ...more })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeRedis(this.redis)
    await Promise.all([
      this.#producer.disconnect(),
      this.admin.disconnect(),
      this.input.connections.close(),
      this.home.connections.close(),
    ])
  }
}

/**
 * A worker: hosts the shards that the newest plan gives it, on one thread pool. It decides nothing about ownership; the
 * plan does, and fencing makes a wrong plan harmless.
 */
import type { Admin } from 'kafkajs'
import { systemClock } from '../cluster/actor/clock.ts'
import { limit } from '../cluster/actor/limit.ts'
import { type Supervised, supervise } from '../cluster/actor/supervise.ts'
import { MillraceError, messageOf } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import { boundedReader } from '../cluster/kafka/bounded-reader.ts'
import type { Reader } from '../cluster/kafka/ports.ts'
import { KafkaReader } from '../cluster/kafka/reader.ts'
import { LATEST } from '../cluster/kafka/requests/metadata.ts'
import type { TopicDescription } from '../cluster/kafka/topics.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import { TransactionWriter } from '../cluster/kafka/writer.ts'
import type { WorkerMeasures } from '../cluster/measures.ts'
import { type Names, slotOf } from '../cluster/protocol/names.ts'
import type { SlotReport } from '../cluster/protocol/plan.ts'
import type { Position } from '../cluster/protocol/state.ts'
import type { ViewPublisher } from '../cluster/redis/views.ts'
import type { Settings } from '../cluster/settings.ts'
import { batchRules } from '../pipelines/api/batches.ts'
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'
import type { Flush } from './batches.ts'
import { Budget } from './budget.ts'
import { destinationsOf } from './destinations.ts'
import { firstOffsets } from './first-offsets.ts'
import { Liveness } from './liveness.ts'
import { Mirror } from './mirror.ts'
import { Pool } from './pool.ts'
import { Publisher } from './publisher.ts'
import { policyOf } from './retries/policy.ts'
import { Retries, type RetryParts } from './retries/retries.ts'
import { Shard } from './shard.ts'
import type { InsightsTarget, SlotContext } from './slot.ts'
import { TraceBudget } from './trace-budget.ts'
import type { Sampling } from './tracing.ts'

/** Connected by cli; the worker closes none of it. */
export interface WorkerParts {
  readonly settings: Settings
  readonly pipeline: AnyPipeline
  /** URL of the pipeline's module: threads load it themselves. */
  readonly url: string
  readonly options: JsonObject
  readonly names: Names
  /** The pipeline's, or what `--as` renamed it to. */
  readonly name: string
  readonly worker: string
  readonly input: Topology
  /** One a produce lane: shards share a few sockets per leader. */
  readonly lanes: readonly [Topology, ...Topology[]]
  /** On connections that no record takes: for looks at where the topics end. Absent: those of the flow. */
  readonly asks?: { readonly input: Topology; readonly home: Topology }
  readonly admin: Admin
  readonly inputTopic: TopicDescription
  readonly topics: ReadonlyMap<string, TopicDescription>
  readonly slots: number
  readonly stateTopicId: string
  /** Where a new state begins, and where this run ends (exclusive), by partition; absent: earliest, and never. */
  readonly from?: ReadonlyMap<number, number>
  readonly to?: ReadonlyMap<number, number>
  readonly views: (slot: number, epoch: number) => ViewPublisher
  /** False where the own lease is not fresh. */
  readonly mayFence: () => boolean
  readonly retries: RetryParts
  /** Absent: no record has spans. */
  readonly sampling?: Sampling | undefined
  readonly events: EventBus
  /** Absent: one of real threads. */
  readonly pool?: WorkerPool
}

/** All that a worker and its shards ask of the pool. */
export type WorkerPool = Pick<Pool, 'run' | 'runParked' | 'threads' | 'busy' | 'queued' | 'close'>

interface Hosted {
  readonly shard: Shard
  readonly epoch: number
  readonly care: () => Supervised
}

const failure = (slot: number, error: unknown): MillraceError =>
  new MillraceError('restart-budget', `shard ${slot} failed too often: ${messageOf(error)}`, { cause: error })

/** P1. */
const RESTORES = 8
const DISCOVER_MS = 10_000
const ENDS_MS = 4000
const AWAY_MS = 10_000
const RESTART = { firstMs: 200, maxMs: 5000 }

export class Worker {
  readonly #parts: WorkerParts
  readonly #pool: WorkerPool
  readonly #budget: Budget
  readonly #reader: Reader
  readonly #mirror: Mirror
  readonly #retries: Retries
  readonly #shards = new Map<number, Hosted>()
  readonly #restoring = limit(RESTORES)
  readonly #failed = Promise.withResolvers<never>()
  readonly #discovering: NodeJS.Timeout
  readonly #liveness: Liveness
  /** Slots that stood still and were started again, with where they stood. */
  readonly #healed = new Map<number, number>()
  readonly #insights: InsightsTarget | undefined
  readonly #traces: TraceBudget | undefined
  #order: Flush | undefined
  #paused: ReadonlySet<number> = new Set()
  #partitions: number
  #stopping = false

  constructor(parts: WorkerParts) {
    const { settings, names, events, input } = parts
    this.#parts = parts
    this.#budget = new Budget(settings.inFlightBytes)
    this.#traces = parts.sampling && new TraceBudget(performance.now())
    const { output, letters, insights, maxParkedBytes } = destinationsOf(
      names,
      parts.inputTopic,
      parts.topics,
    )
    const policy = policyOf(parts.pipeline, settings)
    const rules = batchRules(parts.pipeline, parts.options)
    this.#insights = rules && insights && { rules, pipeline: parts.name, ...insights }
    const { maxRecordBytes, maxDecompressedBytes, concurrency, taskTimeout, threads, threadHeapMb } = settings
    const thread = {
      pipeline: parts.url,
      name: parts.name,
      options: parts.options,
      output,
      letters,
      maxRecordBytes,
      maxDecompressedBytes,
      concurrency,
      taskTimeout,
      retries: policy,
      maxParkedBytes,
      inject: settings.inject,
      sampling: parts.sampling,
    }
    this.#pool = parts.pool ?? new Pool(thread, { threads, heapMb: threadHeapMb, taskTimeout })
    const { fetchBytes, fetchWait } = settings
    const reader = new KafkaReader(input, { topic: names.input, fetchBytes, fetchWait }, events)
    this.#reader = parts.to === undefined ? reader : boundedReader(reader, parts.to)
    const { stateTopicId } = parts
    const positions = () => new Map([...this.positions()].map(([partition, { next }]) => [partition, next]))
    this.#mirror = new Mirror({
      connections: input.connections,
      names,
      stateTopicId,
      interval: settings.mirrorInterval,
      events,
      positions,
    })
    this.#retries = new Retries({
      parts: parts.retries,
      settings,
      names,
      home: parts.lanes.at(-1) ?? parts.lanes[0],
      pool: this.#pool,
      policy,
      maxBytes: maxParkedBytes,
      events,
    })
    this.#failed.promise.catch(() => undefined)
    this.#partitions = parts.inputTopic.partitions
    this.#discovering = setInterval(() => void this.#discover(), DISCOVER_MS)
    this.#liveness = new Liveness({
      clock: systemClock,
      rules: settings,
      slots: () => [...this.#shards.values()].map(({ shard }) => shard.progress()),
      askEnds: () => this.#learnEnds(),
      askAnybody: () => this.#asks.input.refresh(names.input),
      stalled: (slot, ms) => this.#heal(slot, ms),
    })
  }

  get #asks() {
    return this.#parts.asks ?? { input: this.#parts.input, home: this.#parts.lanes[0] }
  }

  /** Of both clusters: a slot whose outputs cannot be written waits for Kafka as well. */
  async #learnEnds(): Promise<void> {
    const { names } = this.#parts
    const { input, home } = this.#asks
    const [slots, partitions] = [[...this.#shards.keys()], [...this.positions().keys()]]
    if (partitions.length === 0) return input.refresh(names.input)
    const [ends] = await Promise.all([
      input.offsets(names.input, partitions, LATEST, ENDS_MS),
      home.offsets(names.state, slots, LATEST, ENDS_MS),
    ])
    for (const { shard } of this.#shards.values()) shard.learn(ends)
  }

  /** A slot that stood still is started again; one that then stands where it stood ends the worker. */
  #heal(slot: number, ms: number): void {
    const hosted = this.#shards.get(slot)
    if (hosted === undefined || this.#stopping) return
    const { state, partitions } = hosted.shard.report()
    const at = partitions.reduce((sum, { next }) => sum + next, 0)
    const error = new MillraceError(
      'timeout',
      `slot ${slot} stood still for ${Math.round(ms / 1000)} s (${state})`,
    )
    if (state === 'releasing' || this.#healed.get(slot) === at) {
      this.#failed.reject(error)
      return
    }
    this.#healed.set(slot, at)
    hosted.shard.abandon()
    hosted.care().replace(error)
  }

  /** A partition that the input gained belongs to an existing slot: its shard takes it in. */
  async #discover(): Promise<void> {
    const { input, names } = this.#parts
    await input.refresh(names.input).catch(() => undefined)
    const partitions = input.knownTopic(names.input)?.partitions.length ?? this.#partitions
    if (partitions <= this.#partitions) return
    const added = Array.from({ length: partitions - this.#partitions }, (_, at) => this.#partitions + at)
    this.#partitions = partitions
    // The other shards go on undisturbed.
    for (const [slot, gained] of Map.groupBy(added, (partition) => slotOf(partition, this.#parts.slots)))
      this.#shards.get(slot)?.shard.extend(gained)
  }

  /** Rejects when a shard fails beyond its restarts: the process should end, and its supervisor decide. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Owns exactly these slots, under that plan epoch. Resolves when what was taken away is released; what is new starts meanwhile. */
  async apply(epoch: number, slots: readonly number[], paused: readonly number[] = []): Promise<void> {
    const wanted = new Set(slots)
    this.#pause(new Set(paused))
    const lost = [...this.#shards].filter(([slot]) => !wanted.has(slot))
    await Promise.all(lost.map(([, hosted]) => this.#release(hosted)))
    for (const [slot] of lost) this.#shards.delete(slot)
    for (const slot of wanted) await this.#own(slot, epoch)
    this.#parts.events.emit('planApplied', { epoch, owned: this.#shards.size })
  }

  #pause(paused: ReadonlySet<number>): void {
    this.#paused = paused
    for (const { shard } of this.#shards.values()) shard.pause(paused)
  }

  /** A fenced shard begins anew under a newer plan; a halted one waits for a person. */
  async #own(slot: number, epoch: number): Promise<void> {
    const hosted = this.#shards.get(slot)
    if (
      this.#stopping ||
      (hosted !== undefined && (hosted.shard.report().state !== 'fenced' || hosted.epoch >= epoch))
    )
      return
    if (hosted !== undefined) await this.#release(hosted)
    this.#start(slot, epoch)
  }

  /** A shard that fails is started again, within the budget; beyond it the worker fails. */
  #start(slot: number, epoch: number): void {
    const { settings, events } = this.#parts
    const start = (): Shard => {
      const shard = new Shard(this.#shardParts(slot, epoch))
      if (this.#order !== undefined) shard.flush(this.#order)
      shard.pause(this.#paused)
      this.#shards.set(slot, { shard, epoch, care: () => care })
      return shard
    }
    const care: Supervised = supervise({
      start,
      budget: { restarts: settings.restarts, windowMs: settings.restartWindow },
      backoff: RESTART,
      clock: systemClock,
      onRestart: (error, waitMs) => events.emit('shardFailed', { slot, reason: messageOf(error), waitMs }),
    })
    void care.stopped.then((ending) => {
      if (ending.why === 'gave-up') this.#failed.reject(failure(slot, ending.error))
    })
  }

  #shardParts(slot: number, epoch: number) {
    const { settings, names, events, input, lanes, worker, slots, pipeline, admin } = this.#parts
    const home = lanes[slot % lanes.length] ?? lanes[0]
    const { birthMapping, maxStateBytes } = destinationsOf(names, this.#parts.inputTopic, this.#parts.topics)
    const aggregates = pipeline.aggregates ?? {}
    const context: SlotContext = {
      restoring: this.#restoring,
      slot,
      slots,
      epoch,
      worker,
      names,
      aggregates,
      insights: this.#insights,
      birthMapping,
      maxStateBytes,
      input,
      home,
      settings,
      budget: this.#budget,
      traces: this.#traces,
      events,
    }
    const { transactionTimeout, requestTimeout, fromGroup } = settings
    return {
      context,
      reader: this.#reader,
      pool: this.#pool,
      writer: new TransactionWriter(home, {
        transactionalId: names.transactionalId(slot),
        transactionTimeout,
        requestTimeout,
        mayFence: this.#parts.mayFence,
      }),
      publisher: new Publisher(this.#parts.views(slot, epoch), aggregates, slot, events),
      retries: this.#retries.share(slot),
      first: firstOffsets(admin, { names, slot, slots, fromGroup, from: this.#parts.from }),
    }
  }

  async #release({ shard, care }: Hosted): Promise<void> {
    await shard.release(this.#parts.settings.grace)
    await care().stop()
  }

  /** Every slot publishes its unfilled batch of insights, also those that come later. */
  flush(order: Flush): void {
    this.#order = order
    for (const { shard } of this.#shards.values()) shard.flush(order)
  }

  /** Position of each partition of the owned slots. */
  positions(): ReadonlyMap<number, Position> {
    return new Map([...this.#shards.values()].flatMap(({ shard }) => [...shard.positions]))
  }

  report(): SlotReport[] {
    const away = this.kafkaAwayMs() > AWAY_MS ? 'Kafka is away' : ''
    return [...this.#shards.values()].map(({ shard }) => {
      const report = shard.report()
      return report.state === 'running' ? { ...report, reason: report.reason || away } : report
    })
  }

  /** ms since a broker last answered. */
  kafkaAwayMs(): number {
    return this.#liveness.kafkaAwayMs()
  }

  /** For how long each slot with work to do, and without a reason that has a name, has not moved: ms. */
  still(): ReadonlyMap<number, number> {
    return this.#liveness.still()
  }

  measures(): WorkerMeasures {
    const { threads, busy, queued } = this.#pool
    const slots = [...this.#shards.values()].map(({ shard }) => shard.measures())
    return { slots, pool: { threads, busy, queued } }
  }

  /** Stop reading, drain, commit, publish, release, leave. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearInterval(this.#discovering)
    this.#liveness.stop()
    const releasing = [...this.#shards.values()].map((hosted) => this.#release(hosted))
    await Promise.all([this.#retries.stop(), ...releasing])
    await this.#retries.close()
    await this.#mirror.stop()
    await this.#reader.stop()
    await this.#pool.close()
  }
}

/**
 * A shard on a Kafka in memory: the real takeover, ledger, commits, task code and publisher; only sockets and threads are
 * missing. `audit` holds it to the equation of protocol P7.
 */
import { Type } from 'typebox'
import { expect } from 'vitest'
import type { Events } from '../../../cluster/events.ts'
import { HEADER, parseOrigin } from '../../../cluster/protocol/headers.ts'
import type { Publication, Published } from '../../../cluster/redis/views.ts'
import { batch, total, tumbling } from '../../../pipelines/api/aggregates.ts'
import { batchRules } from '../../../pipelines/api/batches.ts'
import { definePipeline } from '../../../pipelines/api/define.ts'
import { type Prepared, prepare } from '../../../pipelines/api/execute.ts'
import { dead, drop, retry } from '../../../pipelines/api/outcome.ts'
import type { Runner } from '../../../workers/bisect.ts'
import type { TaskOutcome } from '../../../workers/pool.ts'
import { Publisher } from '../../../workers/publisher.ts'
import type { ParkedView } from '../../../workers/retries/feed.ts'
import { TaskRun } from '../../../workers/run-task.ts'
import { Shard } from '../../../workers/shard.ts'
import type { FirstOffsets } from '../../../workers/takeover.ts'
import type { Task, ThreadSetup } from '../../../workers/task.ts'
import { brokerBatch, headerOf, record } from './batches.ts'
import { MemoryKafka, MemoryTopology } from './memory-kafka.ts'
import { Epochs, MemoryReader, MemoryWriter } from './memory-ports.ts'
import { names } from './results.ts'
import { type ContextChoice, slotContext } from './slot-context.ts'

export const aggregates = { all: total.count(), short: tumbling(10, 20).count() }
/** `at` is the event time; `do` says what becomes of the record. */
const pipeline = definePipeline({
  name: 'p',
  topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
  schema: Type.Object({ do: Type.Optional(Type.String()), at: Type.Optional(Type.Number()) }),
  process: (value) =>
    value.do === 'drop'
      ? drop('unwanted')
      : value.do === 'dead'
        ? dead('refused')
        : value.do === 'retry'
          ? retry('lookup-down', 'try later')
          : value,
  eventTime: (value) => Number(value.at ?? 0),
  aggregates,
})
const destination = (topic: string) => ({
  topic,
  partitions: 4,
  maxBatchBytes: 1_000_000,
  maxAhead: 1e15,
  logAppendTime: false,
})
const setup: ThreadSetup = {
  pipeline: '',
  name: 'p',
  options: {},
  output: destination('out'),
  letters: destination('dlq'),
  maxRecordBytes: 1e6,
  maxDecompressedBytes: 1e6,
  concurrency: 4,
  taskTimeout: 30_000,
  retries: { attempts: 4, delay: 1000, jitter: 0 },
  maxParkedBytes: 1e6,
}
const plain = await prepare(pipeline)

export const EACH = 3
/** No outputs, but insights by count: every third done record says how many there were. */
const { output: _, ...topics } = pipeline.topics
const counting = await prepare({
  ...pipeline,
  topics: { ...topics, insights: 'insights' },
  aggregates: { ...aggregates, these: batch.count() },
  insights: {
    each: EACH,
    messages: (figures) => {
      if (broken.now) throw new Error('cannot word it')
      return [{ all: figures.number('all'), these: figures.number('these') }]
    },
  },
})
/** Set: the pipeline that counts cannot word its insights. */
export const broken = { now: false }

/** The task code without a thread. `hold` keeps every task until `go`. */
export class InlinePool implements Runner {
  running = 0
  readonly #prepared: Prepared
  /** Ends tasks in the place of the task code, while it answers. */
  outcome: ((task: Task) => TaskOutcome | undefined) | undefined
  #gate: PromiseWithResolvers<void> | undefined
  #arrived = Promise.withResolvers<void>()

  constructor(prepared: Prepared) {
    this.#prepared = prepared
  }
  hold(): void {
    this.#gate ??= Promise.withResolvers()
    this.#arrived = Promise.withResolvers()
  }
  go(): void {
    this.#gate?.resolve()
    this.#gate = undefined
  }
  /** A task waits at the gate. */
  get arrived(): Promise<void> {
    return this.#arrived.promise
  }
  async run(_owner: number, make: () => Task): Promise<TaskOutcome> {
    this.running++
    const task = make()
    this.#arrived.resolve()
    await this.#gate?.promise
    this.running--
    const { output, ...rest } = setup
    const isPlain = this.#prepared === plain
    const own: ThreadSetup = { ...rest, output: isPlain ? output : undefined }
    return this.outcome?.(task) ?? { ok: true, result: await new TaskRun(own, this.#prepared, task).run() }
  }
}

/** Keeps what it was told, and tells nobody. */
export class MemoryFeed {
  view: ParkedView = { parked: new Map(), offsets: new Map() }
  begun = 0
  begin(view: ParkedView): void {
    this.begun++
    this.view = view
  }
  changed(view: ParkedView): void {
    this.view = view
  }
  async stop(): Promise<void> {}
}

const neverRun: FirstOffsets = { hasRun: async () => false, taken: async () => new Map() }

export interface ShardChoice extends ContextChoice {
  readonly first?: FirstOffsets
}

export class ShardWorld {
  readonly kafka = new MemoryKafka()
  readonly topology = new MemoryTopology(this.kafka)
  readonly epochs = new Epochs()
  readonly pool: InlinePool
  readonly #prepared: Prepared
  readonly published: Publication[] = []
  /** Every shard that was started, with what it was given. */
  readonly started: {
    readonly shard: Shard
    readonly writer: MemoryWriter
    readonly reader: MemoryReader
    readonly returns: MemoryReader
  }[] = []
  readonly #produced = new Map<number, number>()

  constructor(partitions = 1, kind: 'plain' | 'counting' = 'plain') {
    this.#prepared = kind === 'plain' ? plain : counting
    this.pool = new InlinePool(this.#prepared)
    for (const topic of ['in', 'out', 'dlq', 'insights']) this.kafka.make(topic, partitions)
    for (const topic of [names.state, names.drops, names.retried]) this.kafka.make(topic, 1)
  }

  start(choice: ShardChoice = {}, writer = new MemoryWriter(this.kafka, this.epochs)) {
    const { first = neverRun, ...context } = choice
    const { pipeline } = this.#prepared
    const own = pipeline.aggregates ?? {}
    const rules = batchRules(pipeline, {})
    const slot = slotContext({
      aggregates: own,
      insights: rules && { rules, pipeline: 'p', topic: 'insights', partitions: 1, maxBytes: 1_000_000 },
      kafka: this.topology,
      settings: { commitInterval: 0 },
      ...context,
    })
    const reader = new MemoryReader(this.kafka, 'in')
    const views = {
      publish: async (publication: Publication): Promise<Published> => {
        this.published.push(publication)
        return { result: 'published', accepted: 0, refused: 0 }
      },
    }
    const publisher = new Publisher(views, own, 0, slot.events)
    const feed = new MemoryFeed()
    const returns = new MemoryReader(this.kafka, names.retried)
    const start = async () => this.kafka.log(names.retried, 0).start
    const retries = { reader: returns, start, feed }
    const shard = new Shard({ context: slot, reader, writer, pool: this.pool, publisher, retries, first })
    const started = { shard, writer, reader, returns, feed, events: slot.events }
    this.started.push(started)
    return started
  }

  /** One batch. @returns offset after it */
  produce(partition: number, ...values: readonly object[]): number {
    const batch = brokerBatch(
      values.map((value) => record(value)),
      { baseOffset: 0 },
    )
    this.kafka.append('in', partition, batch)
    const next = (this.#produced.get(partition) ?? 0) + values.length
    this.#produced.set(partition, next)
    return next
  }

  get state(): ReadonlyMap<string, unknown> {
    const text = (bytes: Buffer | null) => bytes?.toString() ?? ''
    return new Map(
      this.kafka
        .records(names.state)
        .map(({ key, value }) => [text(key), value && JSON.parse(text(value).split('\n')[0] ?? '')]),
    )
  }
  position(partition: number): number {
    const position = this.state.get(`position/${partition}`) as { next: number } | undefined
    return position?.next ?? 0
  }

  /** Every offset below the position has exactly one fate, none above has any; the count of outputs is that of the state. */
  audit(): { outputs: number; letters: number; drops: number } {
    const fates = new Map<string, number>()
    const note = (partition: number, offset: number) =>
      fates.set(`${partition}/${offset}`, (fates.get(`${partition}/${offset}`) ?? 0) + 1)
    for (const topic of ['out', 'dlq'])
      for (const one of this.kafka.records(topic)) {
        const origin = parseOrigin(headerOf(one, HEADER.origin) ?? '')
        if (origin) note(origin.partition, origin.offset)
      }
    const ranges = this.kafka.records(names.drops).map(({ value }) => JSON.parse(value?.toString() ?? ''))
    for (const { partition, from, to } of ranges)
      for (let offset = from; offset <= to; offset++) note(partition, offset)
    for (const [key, value] of this.state) {
      const [kind, partition, offset] = key.split('/')
      if (kind === 'retry' && value !== null) note(Number(partition), Number(offset))
    }
    const wanted = [...this.#produced.keys()].flatMap((partition) =>
      Array.from({ length: this.position(partition) }, (_, offset) => `${partition}/${offset}`),
    )
    expect(Object.fromEntries(fates)).toEqual(Object.fromEntries(wanted.map((one) => [one, 1])))
    for (const { writer } of this.started) expect(writer.broken).toEqual([])
    const dones = ranges.flatMap(({ fate, from, to }) => (fate === 'done' ? [to - from + 1] : []))
    const outputs = this.kafka.records('out').length + dones.reduce((sum, one) => sum + one, 0)
    const all = this.state.get('window/all/total/0') as { value: number } | undefined
    expect(all?.value ?? 0).toBe(outputs)
    return {
      outputs,
      letters: this.kafka.records('dlq').length,
      drops: ranges.filter(({ fate }) => fate === undefined).length,
    }
  }

  async stop(): Promise<void> {
    this.pool.go()
    for (const { shard, reader, returns } of this.started) {
      await shard.release(2000)
      await reader.stop()
      await returns.stop()
    }
  }
}

type Started = ReturnType<ShardWorld['start']>

/** Resolves when the shard has committed up to there. */
export const committedTo = async (
  world: ShardWorld,
  { events }: Started,
  partition: number,
  next: number,
) => {
  while (world.position(partition) < next) await events.next('committed')
}

export const happened = <K extends keyof Events>({ events }: Started, name: K): Promise<Events[K]> =>
  events.next(name)

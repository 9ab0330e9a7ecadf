/** The pipeline of the simulation: a record says what becomes of it and what it costs; and a pool without threads. */
import { Type } from 'typebox'
import { sleep, systemClock } from '../../cluster/actor/clock.ts'
import { namesOf } from '../../cluster/protocol/names.ts'
import { total, tumbling } from '../../pipelines/api/aggregates.ts'
import { definePipeline } from '../../pipelines/api/define.ts'
import { prepare } from '../../pipelines/api/execute.ts'
import { dead, drop, retry } from '../../pipelines/api/outcome.ts'
import type { Outcome, TaskOutcome } from '../../workers/pool.ts'
import { type ParkedOutcome, type ParkedTask, runParkedRecords } from '../../workers/retries/run-parked.ts'
import { TaskRun } from '../../workers/run-task.ts'
import type { Task, ThreadSetup } from '../../workers/task.ts'

/** What the records that ran last have cost, ms. */
let spent = 0

export const pipeline = definePipeline({
  name: 'p',
  topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
  schema: Type.Object({
    /** ms of one run. */
    cost: Type.Number(),
    at: Type.Number(),
    becomes: Type.Optional(Type.String()),
    /** Runs that fail before one succeeds. */
    fails: Type.Optional(Type.Number()),
  }),
  process: (value, { attempt }) => {
    spent += value.cost
    if (value.becomes === 'drop') return drop('unwanted')
    if (value.becomes === 'dead') return dead('refused')
    if (attempt <= (value.fails ?? 0)) return retry('lookup-down')
    return value
  },
  eventTime: (value) => Number(value.at),
  aggregates: { all: total.count(), costs: total.sum('cost'), short: tumbling(2000, 4000).count() },
})
export const names = namesOf('p', pipeline.topics)
export const prepared = await prepare(pipeline)

const destination = (topic: string, partitions: number) => ({
  topic,
  partitions,
  maxBatchBytes: 1_000_000,
  maxAhead: Number.MAX_SAFE_INTEGER,
  logAppendTime: false,
})

export const setupOf = (partitions: number): ThreadSetup => ({
  pipeline: '',
  name: 'p',
  options: {},
  output: destination('out', partitions),
  letters: destination('dlq', partitions),
  maxRecordBytes: 1e6,
  maxDecompressedBytes: 1e6,
  concurrency: 4,
  taskTimeout: 30_000,
  retries: { attempts: 4, delay: 300, jitter: 0.5 },
  maxParkedBytes: 1e6,
})

/** What a task of one record costs beside its records, ms: a thread is woken. */
const TASK_MS = 0.2

/** The task code itself, at the pace that its records say; a thread dies where `dies` says so. */
export class SimulatedPool {
  /** ms of all tasks. */
  used = 0
  readonly #setup: ThreadSetup
  readonly #dies: () => boolean
  #free: number
  #closed = false
  readonly #waiting: (() => void)[] = []
  readonly threads: number

  constructor(setup: ThreadSetup, threads: number, dies: () => boolean) {
    this.threads = threads
    this.#setup = setup
    this.#free = threads
    this.#dies = dies
  }

  get busy(): number {
    return this.threads - this.#free
  }
  get queued(): number {
    return this.#waiting.length
  }

  run(_owner: number, make: () => Task): Promise<TaskOutcome> {
    return this.#on(async () => {
      const task = make()
      spent = 0
      const running = new TaskRun(this.#setup, prepared, task).run()
      const ms = await this.#spend()
      return { ...(await running), cpuMs: ms, runMs: ms }
    })
  }

  runParked(_owner: number, make: () => ParkedTask): Promise<Outcome<readonly ParkedOutcome[]>> {
    return this.#on(async () => {
      spent = 0
      const outcomes = runParkedRecords(this.#setup, prepared, make())
      await this.#spend()
      return outcomes
    })
  }

  async #spend(): Promise<number> {
    const ms = TASK_MS + spent
    this.used += ms
    await sleep(systemClock, ms)
    return ms
  }

  async #on<T>(task: () => Promise<T>): Promise<Outcome<T>> {
    if (this.#closed) return { ok: false, cause: 'closed' }
    if (this.#free === 0) await new Promise<void>((go) => this.#waiting.push(go))
    else this.#free--
    try {
      const result = await task()
      if (this.#closed) return { ok: false, cause: 'closed' }
      return this.#dies() ? { ok: false, cause: 'exit' } : { ok: true, result }
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

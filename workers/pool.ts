/**
 * The thread pool of one worker: Piscina behind a fair queue. A task is handed over only when a thread is free, so its
 * time limit counts running, not waiting, and shards take turns. A thread that dies takes only its task: the caller
 * hears of it as an outcome, and Piscina puts a new thread in its place.
 */
import { Piscina } from 'piscina'
import { entryUrl } from '../cluster/entry.ts'
import type { ParkedOutcome, ParkedTask } from './retries/run-parked.ts'
import { type Broken, type Handed, NO_OFFSET, type Task, type TaskResult, type ThreadSetup } from './task.ts'

export interface PoolOptions {
  readonly threads: number
  readonly heapMb: number
  /** ms */
  readonly taskTimeout: number
}

export type Outcome<T> =
  | { readonly ok: true; readonly result: T }
  /**
   * `timeout`, `out-of-memory`, `exit` or `error`: the thread is gone, the task's own buffer with it.
   * @param at offset it was busy with, where it had come to one
   */
  | { readonly ok: false; readonly cause: string; readonly at?: number }
  /** No thread has begun it, and none will: the task is not to blame. */
  | { readonly ok: false; readonly cause: 'closed' | 'not-started' }
  /** The pipeline cannot be loaded or set up in a thread. */
  | { readonly ok: false; readonly cause: 'broken'; readonly detail: string }

export type TaskOutcome = Outcome<TaskResult>

/** What a thread can be asked for: its exports. */
type Errand = 'runTask' | 'runParked'
type Load = Task | ParkedTask
type Found = TaskResult | readonly ParkedOutcome[]

/**
 * A thread at its heap limit is granted 16 MB to end in. Survivors of a larger young generation pass that at one go, and
 * V8 then ends the whole process (seen with the default of 48 MB: JSON.parse without end, 2 of 3 times). Costs no CPU.
 */
const YOUNG_MB = 16
/** A thread that has not loaded its pipeline by then never will. */
const START_LIMIT_MS = 60_000
/** A timer that comes so late says that the whole process stood still. */
const STOOD_STILL_MS = 1000

interface Waiting {
  readonly errand: Errand
  readonly task: () => Load
  readonly settle: (outcome: Outcome<Found>) => void
}

export class Pool {
  readonly #piscina: Piscina<Handed<Load>, Found | Broken>
  readonly #options: PoolOptions
  readonly #queues = new Map<number, Waiting[]>()
  #busy = 0
  #closed = false

  constructor(setup: ThreadSetup, options: PoolOptions) {
    this.#options = options
    this.#piscina = new Piscina<Handed<Load>, Found | Broken>({
      filename: entryUrl('./thread', import.meta.url).href,
      minThreads: options.threads,
      maxThreads: options.threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      maxQueue: options.threads,
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: options.heapMb, maxYoungGenerationSizeMb: YOUNG_MB },
      recordTiming: false,
    })
    // A failing start-up rejects the task in hand as well; the event alone must not end the process.
    this.#piscina.on('error', () => undefined)
  }

  get threads(): number {
    return this.#options.threads
  }
  get busy(): number {
    return this.#busy
  }
  get queued(): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0)
  }

  /** @param task made when a thread is free: it copies the bytes that the thread will own */
  run(owner: number, task: () => Task): Promise<TaskOutcome> {
    return this.#enqueue(owner, 'runTask', task) as Promise<TaskOutcome>
  }

  /** Runs parked records; the outcomes stand in the order of the runs. */
  runParked(owner: number, task: () => ParkedTask): Promise<Outcome<readonly ParkedOutcome[]>> {
    return this.#enqueue(owner, 'runParked', task) as Promise<Outcome<readonly ParkedOutcome[]>>
  }

  #enqueue(owner: number, errand: Errand, task: () => Load): Promise<Outcome<Found>> {
    if (this.#closed) return Promise.resolve({ ok: false, cause: 'closed' })
    return new Promise((settle) => {
      const queue = this.#queues.get(owner) ?? []
      queue.push({ errand, task, settle })
      this.#queues.set(owner, queue)
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#busy < this.#options.threads) {
      const next = this.#next()
      if (next === undefined) return
      this.#busy++
      void this.#hand(next).then((outcome) => {
        this.#busy--
        this.#pump()
        next.settle(outcome)
      })
    }
  }

  /** Takes from the first owner and puts it last. */
  #next(): Waiting | undefined {
    for (const [owner, queue] of this.#queues) {
      const next = queue.shift()
      this.#queues.delete(owner)
      if (queue.length > 0) this.#queues.set(owner, queue)
      if (next !== undefined) return next
    }
    return undefined
  }

  async #hand({ errand, task: make }: Waiting): Promise<Outcome<Found>> {
    const begun = new BigInt64Array(new SharedArrayBuffer(8))
    const busyWith = new Float64Array(new SharedArrayBuffer(8)).fill(NO_OFFSET)
    const limit = new AbortController()
    const unwatch = watch(begun, this.#options.taskTimeout, limit)
    try {
      const task = make()
      const options = { name: errand, transferList: [task.bytes], signal: limit.signal }
      const result = await this.#piscina.run({ task, begun, busyWith }, options)
      return 'broken' in result ? { ok: false, cause: 'broken', detail: result.broken } : { ok: true, result }
    } catch (error) {
      const cause = limit.signal.aborted ? String(limit.signal.reason) : causeOf(error)
      const [at = NO_OFFSET] = busyWith
      return { ok: false, cause: this.#closed ? 'closed' : cause, ...(at !== NO_OFFSET && { at }) }
    } finally {
      unwatch()
    }
  }

  /** Whatever runs or waits ends as `closed`. */
  async close(): Promise<void> {
    this.#closed = true
    const waiting = [...this.#queues.values()].flat()
    this.#queues.clear()
    for (const { settle } of waiting) settle({ ok: false, cause: 'closed' })
    await this.#piscina.destroy()
  }
}

/**
 * Aborts the task when it has run for its limit. Running begins when the thread says so: a new thread loads the pipeline
 * first, and an innocent record must not pay for that. Nor for a process that was frozen.
 */
const watch = (begun: BigInt64Array, taskTimeout: number, limit: AbortController): (() => void) => {
  const handed = performance.now()
  let due = handed
  let timer: NodeJS.Timeout | undefined
  const wait = (ms: number) => {
    due = performance.now() + ms
    timer = setTimeout(look, ms)
  }
  const look = () => {
    const since = Atomics.load(begun, 0)
    const ran = since === 0n ? 0 : Number(process.hrtime.bigint() - since) / 1e6
    if (performance.now() > due + STOOD_STILL_MS) wait(taskTimeout)
    else if (since === 0n && performance.now() > handed + START_LIMIT_MS) limit.abort('not-started')
    else if (ran < taskTimeout) wait(Math.ceil(taskTimeout - ran))
    else limit.abort('timeout')
  }
  wait(taskTimeout)
  return () => clearTimeout(timer)
}

/** An Error that crossed a thread keeps its text only. */
const causeOf = (error: unknown): string => {
  const { code, message } = error as { code?: string; message?: string }
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return 'out-of-memory'
  if (/worker.*exit|process\.exit|stopped/i.test(message ?? '')) return 'exit'
  return 'error'
}

/**
 * Gathers the runs of parked records of one worker process: one task in the pool at a time, so that retries take one
 * thread at most and one that waits for the network does not hold up the others. Never more than run at once: they share
 * the task's time. Where a thread dies each record of its task runs alone; the guilty one has failed with the cause as its code.
 */
import type { Pool } from '../pool.ts'
import { isNotRun } from '../task.ts'
import type { ParkedOutcome, ParkedRun } from './run-parked.ts'

export interface RunRequest extends ParkedRun {
  /** A batch of one. */
  readonly record: Uint8Array
}

/** No thread ran it, and none will for now: the record is not to blame. */
export class NotRun extends Error {}

const MOST_BYTES = 4 * 1024 ** 2
/** Takes turns with the slots. */
const OWNER = -1

interface Waiting {
  readonly request: RunRequest
  readonly settle: PromiseWithResolvers<ParkedOutcome>
}

export class Batcher {
  readonly #pool: Pick<Pool, 'runParked'>
  readonly #topic: string
  readonly #most: number
  #waiting: Waiting[] = []
  #busy = false

  /** @param topic of the input; @param most that one task runs at once */
  constructor(pool: Pick<Pool, 'runParked'>, topic: string, most: number) {
    this.#pool = pool
    this.#topic = topic
    this.#most = most
  }

  /** @throws NotRun */
  run(request: RunRequest): Promise<ParkedOutcome> {
    const settle = Promise.withResolvers<ParkedOutcome>()
    this.#waiting.push({ request, settle })
    // Whoever comes in the same turn comes along.
    if (!this.#busy) queueMicrotask(() => void this.#pump())
    return settle.promise
  }

  /** Whatever has not begun is not run. */
  stop(): void {
    for (const { settle } of this.#waiting.splice(0)) settle.reject(new NotRun('the worker ends'))
  }

  async #pump(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    while (this.#waiting.length > 0) await this.#runTogether(this.#take())
    this.#busy = false
  }

  #take(): Waiting[] {
    let bytes = 0
    const fits = ({ request }: Waiting, at: number) => {
      bytes += request.record.length
      return at === 0 || (at < this.#most && bytes <= MOST_BYTES)
    }
    const past = this.#waiting.findIndex((one, at) => !fits(one, at))
    return this.#waiting.splice(0, past < 0 ? this.#waiting.length : past)
  }

  async #runTogether(members: readonly Waiting[]): Promise<void> {
    const outcome = await this.#pool.runParked(OWNER, () => this.#taskOf(members))
    if (outcome.ok) {
      for (const [i, { settle }] of members.entries()) {
        const found = outcome.result[i]
        if (found === undefined) settle.reject(new NotRun('the thread gave no outcome'))
        else settle.resolve(found)
      }
      return
    }
    const { cause } = outcome
    if (isNotRun(outcome)) {
      for (const { settle } of members) settle.reject(new NotRun(cause))
      return
    }
    const [only] = members
    if (members.length === 1) only?.settle.resolve({ outcome: 'retry', code: `thread-${cause}`, message: '' })
    else for (const member of members) await this.#runTogether([member])
  }

  #taskOf(members: readonly Waiting[]) {
    const bytes = new Uint8Array(members.reduce((sum, { request }) => sum + request.record.length, 0))
    let at = 0
    for (const { request } of members) {
      bytes.set(request.record, at)
      at += request.record.length
    }
    const runs = members.map(({ request: { partition, attempt } }) => ({ partition, attempt }))
    return { bytes: bytes.buffer, topic: this.#topic, runs, now: Date.now() }
  }
}

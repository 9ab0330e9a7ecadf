/**
 * The retry queue in memory: delayed jobs by id, run by whoever takes them, with the manners of BullMQ that matter: an
 * `add` is silent where the id exists, also of a finished job; a job whose runner is gone is run again.
 */
import { sleep, systemClock } from '../../cluster/actor/clock.ts'
import {
  type JobState,
  jobId,
  type RetryConsumer,
  type RetryJob,
  type RetryQueue,
  type RunJob,
} from '../../cluster/redis/retry-queue.ts'
import type { RedisWire } from './redis.ts'
import type { World } from './time.ts'

interface Job {
  readonly job: RetryJob
  state: Exclude<JobState, 'missing'> | 'active'
  due: number
  failed: number
  lockedUntil: number
}

const LOCK_MS = 3000
const LATER_MS = 500
const LOOK_MS = 500
const AT_ONCE = 8

export class MemoryQueue {
  readonly #world: World
  readonly #jobs = new Map<string, Job>()

  constructor(world: World) {
    this.#world = world
  }

  wipe(): void {
    this.#jobs.clear()
  }

  put(jobs: readonly RetryJob[]): void {
    for (const job of jobs) {
      const id = jobId(job.data.partition, job.data.offset)
      const due = this.#world.now + Math.max(0, job.delayMs)
      if (!this.#jobs.has(id)) this.#jobs.set(id, { job, state: 'queued', due, failed: 0, lockedUntil: 0 })
    }
  }

  states(ids: readonly string[]): JobState[] {
    return ids.map((id) => {
      const state = this.#jobs.get(id)?.state ?? 'missing'
      return state === 'active' ? 'queued' : state
    })
  }

  replace(jobs: readonly RetryJob[]): void {
    for (const { data } of jobs) {
      const id = jobId(data.partition, data.offset)
      if (this.#jobs.get(id)?.state !== 'active') this.#jobs.delete(id)
    }
    this.put(jobs)
  }

  /** Due jobs, now locked; those whose lock is over come again. */
  take(): Job[] {
    const { now } = this.#world
    const isFree = ({ state, due, lockedUntil }: Job) =>
      (state === 'queued' && due <= now) || (state === 'active' && lockedUntil <= now)
    const taken = [...this.#jobs.values()].filter(isFree).slice(0, AT_ONCE)
    for (const job of taken) {
      job.state = 'active'
      job.lockedUntil = now + LOCK_MS
    }
    return taken
  }

  settle(job: Job, verdict: Awaited<ReturnType<RunJob>>): void {
    if (verdict.verdict === 'ended') job.state = 'completed'
    else if (verdict.verdict === 'later') {
      job.state = 'queued'
      job.due = this.#world.now + LATER_MS
    } else {
      job.failed++
      const again = verdict.waitMs !== undefined && job.failed < job.job.runs
      job.state = again ? 'queued' : 'failed'
      job.due = this.#world.now + (verdict.waitMs ?? 0)
    }
  }
}

export const queueOn = (wire: RedisWire): RetryQueue => ({
  put: (jobs) => wire.ask(({ queue }) => queue.put(jobs)),
  states: (jobs) => {
    const ids = jobs.map(({ partition, offset }) => jobId(partition, offset))
    return wire.ask(({ queue }) => queue.states(ids))
  },
  replace: (jobs) => wire.ask(({ queue }) => queue.replace(jobs)),
  close: async () => {},
})

export const consumeOn = (wire: RedisWire, run: RunJob): RetryConsumer => {
  const stop = new AbortController()
  const runOne = async (job: Job) => {
    const verdict = await run(job.job.data, job.failed)
    await wire.ask(({ queue }) => queue.settle(job, verdict)).catch(() => undefined)
  }
  const loop = async () => {
    while (!stop.signal.aborted) {
      const jobs = await wire.ask(({ queue }) => queue.take()).catch(() => [])
      await Promise.all(jobs.map(runOne))
      if (jobs.length === 0) await sleep(systemClock, LOOK_MS, stop.signal)
    }
  }
  const running = loop()
  return {
    stop: async (deadlineMs) => {
      stop.abort()
      const patience = new AbortController()
      await Promise.race([running, sleep(systemClock, deadlineMs, patience.signal)])
      patience.abort()
    },
  }
}

/**
 * The queue of parked records: BullMQ, named and wired in one place. It is a view: whatever it loses is put there again from
 * the state topic, whatever it runs twice is judged by the shard. A job's id is tidiness, never safety.
 *
 * Known of BullMQ 6.7: an id may not hold `:`; `add` is silent where the id exists, also of a finished job; a job that stalls
 * twice is `failed` without its processor hearing of it; `close` never ends while Redis is away, so it has a deadline here.
 */
import { DelayedError, type Job, type JobsOptions, Queue, UnrecoverableError, Worker } from 'bullmq'
import { Redis, type RedisOptions } from 'ioredis'
import { messageOf } from '../errors.ts'
import type { EventBus } from '../events.ts'
import { pause } from '../kafka/failures.ts'
import { type Outlook, outlookOf, type RetryData } from '../protocol/retries.ts'

export interface QueuePlace {
  /** Of the queue; readers of the dashboard know it by this. */
  readonly name: string
  /** Before its keys. */
  readonly prefix: string
}

/** Installations that share a Redis, or a cluster id, stay apart. The braces keep a cluster's keys in one hash slot. */
export const queuePlace = (clusterId: string, pipeline: string, topicPrefix = ''): QueuePlace => ({
  name: `${topicPrefix}millrace-${pipeline}`,
  prefix: `{${clusterId}}`,
})

export const jobId = (partition: number, offset: number): string => `${partition}-${offset}`

export interface RetryJob {
  readonly data: RetryData
  readonly delayMs: number
  /** Runs that are left. */
  readonly runs: number
}

export type JobState = 'missing' | 'completed' | 'failed' | 'queued'

/** Every call may be repeated. @throws where Redis is away */
export interface RetryQueue {
  /** Silent where a job of that id exists. */
  put(jobs: readonly RetryJob[]): Promise<void>
  states(jobs: readonly Pick<RetryData, 'partition' | 'offset'>[]): Promise<readonly JobState[]>
  /** In the place of what is there; a job that runs at this moment stays. */
  replace(jobs: readonly RetryJob[]): Promise<void>
  close(): Promise<void>
}

/** What one run of a job came to. */
export type RunVerdict =
  /** The record needs no further run. */
  | { readonly verdict: 'ended'; readonly note: string }
  /** Once more in `waitMs`; never, where that is absent. */
  | {
      readonly verdict: 'failed'
      readonly code: string
      readonly message: string
      readonly waitMs?: number
    }
  /** It could not be run: the attempt is not spent. */
  | { readonly verdict: 'later'; readonly reason: string }

export type RunJob = (data: RetryData, failed: number) => Promise<RunVerdict>

export interface RetryConsumer {
  /** Takes no more jobs, waits for those that run, up to the deadline; the rest is found stalled by another. */
  stop(deadlineMs: number): Promise<void>
}

/** A short tail of finished jobs, for whoever looks. */
const KEPT = { removeOnComplete: { count: 200 }, removeOnFail: { count: 2000 } } as const
const AT_ONCE = 500
const BACKOFF = 'millrace'

const optionsOf = ({ data, delayMs, runs }: RetryJob): JobsOptions => ({
  ...KEPT,
  jobId: jobId(data.partition, data.offset),
  delay: Math.max(0, Math.round(delayMs)),
  attempts: Math.max(1, runs),
  backoff: { type: BACKOFF },
})

const inGroups = async <T>(all: readonly T[], act: (group: readonly T[]) => Promise<void>): Promise<void> => {
  for (let at = 0; at < all.length; at += AT_ONCE) await act(all.slice(at, at + AT_ONCE))
}

const stateOf = (state: string): JobState => {
  if (state === 'unknown') return 'missing'
  return state === 'completed' || state === 'failed' ? state : 'queued'
}

/** @param redis the worker's own client: commands fail at once while Redis is away */
export const retryQueue = (redis: Redis, { name, prefix }: QueuePlace, events: EventBus): RetryQueue => {
  const open = () => {
    const queue = new Queue<RetryData>(name, { connection: redis, prefix, skipVersionCheck: true })
    return queue.on('error', (error) => tellAway(events, error))
  }
  // BullMQ's own calls wait for ever for a client that was never connected.
  let opened = redis.status === 'ready' ? open() : undefined
  const queueOf = (): Queue<RetryData> => {
    if (redis.status !== 'ready') throw new Error('Redis is away')
    opened ??= open()
    return opened
  }
  const put = (jobs: readonly RetryJob[]) =>
    inGroups(jobs, async (group) => {
      await queueOf().addBulk(
        group.map((job) => ({ name: job.data.code, data: job.data, opts: optionsOf(job) })),
      )
    })
  return {
    put,
    async states(jobs) {
      const found: JobState[] = []
      await inGroups(jobs, async (group) => {
        const states = group.map(({ partition, offset }) => queueOf().getJobState(jobId(partition, offset)))
        found.push(...(await Promise.all(states)).map(stateOf))
      })
      return found
    },
    async replace(jobs) {
      await inGroups(jobs, async (group) => {
        await Promise.all(group.map(({ data }) => queueOf().remove(jobId(data.partition, data.offset))))
      })
      await put(jobs)
    },
    close: async () => opened?.close(),
  }
}

const tellAway = (events: EventBus, error: unknown): void =>
  events.emit('waiting', { for: 'Redis, for retries', detail: messageOf(error) })

/** Carries the wait to the backoff, and code and message to whoever looks at the job. */
class RunFailed extends Error {
  readonly waitMs: number
  constructor(text: string, waitMs: number) {
    super(text)
    this.name = 'RunFailed'
    this.waitMs = waitMs
  }
}

export interface ConsumeOptions {
  readonly url: string
  readonly tls?: RedisOptions['tls']
  readonly place: QueuePlace
  /** Jobs taken at a time. */
  readonly concurrency: number
  readonly run: RunJob
  readonly events: EventBus
  /** ms that a job may go without a sign of life. */
  readonly lockMs?: number
}

const LATER_MS = 1000
const LOCK_MS = 30_000
const RECONNECT_MS = 1000
const CLOSE_MS = 1000

export const consumeRetries = (options: ConsumeOptions): RetryConsumer => {
  const { url, tls, place, concurrency, events, lockMs = LOCK_MS } = options
  let ended = false
  // Its blocking twin takes over these options: commands wait for Redis, and none of them waits for ever once it has ended.
  const redis = new Redis(url, {
    ...(tls && { tls }),
    maxRetriesPerRequest: null,
    retryStrategy: () => (ended ? null : RECONNECT_MS),
  })
  redis.on('error', () => undefined)
  const worker = new Worker<RetryData>(place.name, (job, token) => runOne(options.run, job, token), {
    connection: redis,
    prefix: place.prefix,
    concurrency,
    skipVersionCheck: true,
    lockDuration: lockMs,
    stalledInterval: lockMs,
    runRetryDelay: RECONNECT_MS,
    settings: {
      backoffStrategy: (_made, _type, error) => (error instanceof RunFailed ? error.waitMs : LATER_MS),
    },
  })
  worker.on('error', (error) => tellAway(events, error))
  const stop = async (deadlineMs: number) => {
    const patience = new AbortController()
    await Promise.race([worker.pause().catch(() => undefined), pause(deadlineMs, patience.signal)])
    ended = true
    await Promise.race([worker.close(true).catch(() => undefined), pause(CLOSE_MS, patience.signal)])
    patience.abort()
    redis.disconnect()
  }
  return { stop }
}

const runOne = async (run: RunJob, job: Job<RetryData>, token: string | undefined): Promise<string> => {
  const found = await run(job.data, job.attemptsMade)
  if (found.verdict === 'ended') return found.note
  if (found.verdict === 'later') {
    await job.moveToDelayed(Date.now() + LATER_MS, token)
    throw new DelayedError(found.reason)
  }
  const { code, message } = found
  // For people only: a job that is gone, or removed by hand, fails below as well.
  await job.updateData({ ...job.data, code, message, ...outlookAfter(job, found) }).catch(() => undefined)
  const text = [code, message].filter(Boolean).join(': ')
  if (found.waitMs === undefined) throw new UnrecoverableError(text)
  throw new RunFailed(text, found.waitMs)
}

/** The dashboard itself knows the time of a job's first run only. */
const outlookAfter = (
  { data, attemptsMade, opts }: Job<RetryData>,
  { waitMs }: { readonly waitMs?: number },
): Outlook => {
  if (waitMs === undefined) return { next: 'no further run', due: 'never' }
  const made = data.runsBefore + attemptsMade + 1
  return outlookOf(made + 1, data.runsBefore + (opts.attempts ?? 1), Date.now() + waitMs)
}

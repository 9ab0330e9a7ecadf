import { afterEach, beforeEach, expect, test } from 'vitest'
import { EventBus } from '../../../cluster/events.ts'
import { parseResult } from '../../../cluster/protocol/retries.ts'
import { stateKey } from '../../../cluster/protocol/state.ts'
import { type JobState, jobId, type RetryJob, type RetryQueue } from '../../../cluster/redis/retry-queue.ts'
import { Feed, type ParkedView } from '../../../workers/retries/feed.ts'
import type { Parked } from '../../../workers/retries/parked.ts'
import type { ResultMessage } from '../../../workers/retries/results.ts'
import { parkedAt } from './support.ts'

/** Jobs by id, with what is said of them; away while `away` is set. */
class MemoryQueue implements RetryQueue {
  readonly jobs = new Map<string, { state: JobState; readonly job: RetryJob }>()
  away = false
  asked = 0
  #changed = Promise.withResolvers<void>()

  async put(jobs: readonly RetryJob[]): Promise<void> {
    this.#answer()
    for (const job of jobs) {
      const id = jobId(job.data.partition, job.data.offset)
      if (!this.jobs.has(id)) this.jobs.set(id, { state: 'queued', job })
    }
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
  async states(jobs: readonly { readonly partition: number; readonly offset: number }[]) {
    this.#answer()
    this.asked++
    return jobs.map(({ partition, offset }) => this.jobs.get(jobId(partition, offset))?.state ?? 'missing')
  }
  async replace(jobs: readonly RetryJob[]): Promise<void> {
    this.#answer()
    for (const { data } of jobs) this.jobs.delete(jobId(data.partition, data.offset))
    await this.put(jobs)
  }
  async close(): Promise<void> {}
  #answer(): void {
    if (this.away) throw new Error('Redis is away')
  }
  async has(count: number): Promise<void> {
    while (this.jobs.size < count) await this.#changed.promise
  }
}

const POLICY = { attempts: 3, delay: 100, jitter: 0 }
const PAST = 1000
let queue: MemoryQueue
let events: EventBus
let feed: Feed
let sent: ResultMessage[]
beforeEach(() => {
  queue = new MemoryQueue()
  events = new EventBus()
  sent = []
  const read = async (_slot: number, at: number) => {
    const { park, attempts, code, message, due, key, preview } = parkedAt(0, at - 50)
    return { head: { park, attempts, code, message, due, key, preview }, record: Buffer.from(`record ${at}`) }
  }
  const results = { send: async (message: ResultMessage) => void sent.push(message) }
  feed = new Feed({
    slot: 0,
    topic: 'in',
    queue,
    records: { read },
    results,
    policy: POLICY,
    grace: 100,
    events,
  })
})
afterEach(() => feed.stop())

/** State offset: 50 and the offset. */
const viewOf = (...parked: readonly Parked[]): ParkedView => ({
  parked: new Map(parked.map((one) => [stateKey.retry(one.partition, one.offset), one])),
  offsets: new Map(parked.map((one) => [stateKey.retry(one.partition, one.offset), 50 + one.offset])),
})
const soon = () => Date.now() + 60_000
const results = () =>
  sent.map(({ key, value }) => {
    const { offset, head } = parseResult(Buffer.from(key), value) ?? {}
    return { offset, outcome: head?.outcome, attempt: head?.attempt }
  })

test('what is parked gets its job: coordinates only, so long before it is due, as many runs as are left', async () => {
  feed.begin(viewOf())
  const due = soon()
  feed.changed(viewOf(parkedAt(0, 7, { due, key: '***0815', preview: '{"ip":"10.*"}' })), ['retry/0/7'])
  await queue.has(1)
  const job = queue.jobs.get('0-7')?.job
  expect(job?.data).toEqual({
    origin: 'in/0/7',
    partition: 0,
    offset: 7,
    slot: 0,
    stateOffset: 57,
    park: 'c/0/7',
    runsBefore: 1,
    code: 'lookup-down',
    message: '',
    key: '***0815',
    preview: '{"ip":"10.*"}',
    next: 'run 2 of 3',
    due: new Date(due).toISOString(),
  })
  expect(job?.runs).toBe(2)
  expect(job?.delayMs).toBeGreaterThan(50_000)
  expect(queue.asked).toBe(0)
})

test('Redis away: it is said once, nothing is forgotten', async () => {
  queue.away = true
  const told = events.next('retriesWait')
  feed.begin(viewOf(parkedAt(0, 1, { due: soon() })))
  feed.changed(viewOf(parkedAt(0, 1, { due: soon() }), parkedAt(0, 2, { due: soon() })), ['retry/0/2'])
  expect(await told).toEqual({ slot: 0, reason: 'Redis is away' })
  queue.away = false
  await queue.has(2)
})

test('a takeover puts what is missing and leaves what waits', async () => {
  const parked = [1, 2].map((offset) => parkedAt(0, offset, { due: soon() }))
  feed.begin(viewOf(...parked.slice(0, 1)))
  expect(await events.next('requeued')).toMatchObject({ jobs: 1 })
  const before = queue.jobs.get('0-1')?.job
  const told = events.next('requeued')
  feed.begin(viewOf(...parked))
  expect(await told).toEqual({ slot: 0, jobs: 1, ended: 0 })
  expect(queue.jobs.get('0-1')?.job).toBe(before)
  expect(queue.jobs.has('0-2')).toBe(true)
})

test('a job the queue has lost is put again once it is overdue, with the runs that are left', async () => {
  const parked = parkedAt(0, 1, { due: soon() })
  feed.begin(viewOf(parked))
  await events.next('requeued')
  queue.jobs.clear()
  feed.changed(viewOf({ ...parked, attempts: 2, due: PAST }), ['retry/0/1'])
  expect(await events.next('requeued')).toMatchObject({ jobs: 1, ended: 0 })
  expect(queue.jobs.get('0-1')?.job).toMatchObject({ runs: 1, data: { runsBefore: 2 } })
  expect(results()).toEqual([])
})

test('a job that failed unheard has spent a run; the last one is the end, written by the shard', async () => {
  const job = (offset: number) => ({ data: { partition: 0, offset } }) as RetryJob
  for (const offset of [1, 2]) queue.jobs.set(`0-${offset}`, { state: 'failed', job: job(offset) })
  feed.begin(viewOf(parkedAt(0, 1, { due: PAST }), parkedAt(0, 2, { due: PAST, attempts: 2 })))
  expect(await events.next('requeued')).toEqual({ slot: 0, jobs: 1, ended: 1 })
  expect(results()).toEqual([
    { offset: 1, outcome: 'retry', attempt: 2 },
    { offset: 2, outcome: 'dead', attempt: 2 },
  ])
  const [, end] = sent.map(({ key, value }) => parseResult(Buffer.from(key), value))
  expect(end).toMatchObject({ head: { code: 'retries-exhausted' }, record: Buffer.from('record 52') })
  expect(queue.jobs.get('0-1')?.job).toMatchObject({ runs: 1, data: { runsBefore: 2 } })
})

test('what is settled is asked about no more', async () => {
  queue.away = true
  feed.begin(viewOf(parkedAt(0, 1, { due: soon() })))
  await events.next('retriesWait')
  feed.changed(viewOf(), ['retry/0/1'])
  queue.away = false
  feed.changed(viewOf(parkedAt(0, 2, { due: soon() })), ['retry/0/2'])
  await queue.has(1)
  expect([...queue.jobs.keys()]).toEqual(['0-2'])
})

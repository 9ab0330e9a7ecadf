import { once } from 'node:events'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EventBus } from '../../../cluster/events.ts'
import type { RetryData } from '../../../cluster/protocol/retries.ts'
import { connectRedis } from '../../../cluster/redis/client.ts'
import {
  consumeRetries,
  jobId,
  queuePlace,
  type RetryJob,
  type RetryQueue,
  type RunJob,
  type RunVerdict,
  retryQueue,
} from '../../../cluster/redis/retry-queue.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { until } from '../../support/cluster.ts'
import { startOwnRedis, uniqueName, useServices } from '../../support/services.ts'

const events = new EventBus()
const data = (offset: number, more: Partial<RetryData> = {}): RetryData => ({
  origin: `in/0/${offset}`,
  partition: 0,
  offset,
  slot: 0,
  stateOffset: 50 + offset,
  park: `c/0/${offset}`,
  runsBefore: 1,
  code: 'lookup-down',
  message: 'try later',
  key: '***',
  preview: '{}',
  next: '',
  due: '',
  ...more,
})
const job = (offset: number, more: Partial<RetryJob> = {}): RetryJob => ({
  data: data(offset),
  delayMs: 0,
  runs: 3,
  ...more,
})
const ENDED: RunVerdict = { verdict: 'ended', note: 'done' }

let url: string
let redis: Redis
let queue: RetryQueue
let place: ReturnType<typeof queuePlace>
const open: (() => Promise<unknown>)[] = []

/** As a worker's is by the time it is handed on. */
const connected = async (client: Redis): Promise<Redis> => {
  await once(client, 'ready')
  return client
}

beforeEach(async () => {
  url = (await useServices()).redis
  redis = await connected(new Redis(url))
  place = queuePlace(uniqueName('c'), 'p', 'x.')
  queue = retryQueue(redis, place, events)
  open.push(
    () => queue.close(),
    async () => redis.disconnect(),
  )
})
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** What ran, in order; `answer` says how each run ends. */
const consume = (answer: RunJob, lockMs = 30_000) => {
  const ran: { readonly offset: number; readonly failed: number; readonly at: number }[] = []
  let wake = Promise.withResolvers<void>()
  const run: RunJob = async (one, failed) => {
    ran.push({ offset: one.offset, failed, at: performance.now() })
    wake.resolve()
    wake = Promise.withResolvers()
    return answer(one, failed)
  }
  const consumer = consumeRetries({ url, place, concurrency: 5, run, events, lockMs })
  open.unshift(() => consumer.stop(2000))
  const runs = async (count: number) => {
    while (ran.length < count) await wake.promise
  }
  return { ran, runs, consumer }
}
const raw = (offset: number) => redis.hgetall(`${place.prefix}:${place.name}:${jobId(0, offset)}`)
const stateOf = async (offset: number) => (await queue.states([data(offset)]))[0]
const becomes = (offset: number, state: string) =>
  until(`job ${offset} is ${state}`, 20_000, async () => (await stateOf(offset)) === state)

describe('the queue of parked records', () => {
  test('keys stand under the cluster id, and a name tells prefix and pipeline', () => {
    expect(queuePlace('c', 'p', 'x.')).toEqual({ name: 'x.millrace-p', prefix: '{c}' })
  })

  test('a job runs once it is due, and is kept for whoever looks', async () => {
    const started = performance.now()
    await queue.put([job(1, { delayMs: 300 }), job(2)])
    expect(await queue.states([data(1), data(2), data(3)])).toEqual(['queued', 'queued', 'missing'])
    const { ran, runs } = consume(async () => ENDED)
    await runs(2)
    expect(ran.map(({ offset, failed }) => [offset, failed])).toEqual([
      [2, 0],
      [1, 0],
    ])
    expect((ran[1]?.at ?? 0) - started).toBeGreaterThanOrEqual(290)
    await becomes(1, 'completed')
    expect(JSON.parse((await raw(1)).data ?? '')).toEqual(data(1))
  })

  test('a run that failed comes again after its wait, with code and stack for whoever looks, and ends after its last', async () => {
    await queue.put([job(1, { runs: 3 })])
    const { ran, runs } = consume(async () => ({
      verdict: 'failed',
      code: 'lookup-down',
      message: 'try later',
      waitMs: 200,
    }))
    await runs(3)
    expect(ran.map(({ failed }) => failed)).toEqual([0, 1, 2])
    for (const [i, { at }] of ran.entries())
      if (i > 0) expect(at - (ran[i - 1]?.at ?? 0)).toBeGreaterThanOrEqual(190)
    await becomes(1, 'failed')
    const kept = await raw(1)
    expect(kept.failedReason).toBe('lookup-down: try later')
    expect(JSON.parse(kept.stacktrace ?? '[]')).toHaveLength(3)
  })

  test('it says what failed last, which run is next and when; that none is', async () => {
    const begun = Date.now()
    await queue.put([job(1, { runs: 2 })])
    const failed = { verdict: 'failed', code: 'refused' } as const
    const seen: RetryData[] = []
    const { runs } = consume(async (one, before) => {
      seen.push(one)
      return before === 0 ? { ...failed, message: 'run 2', waitMs: 300 } : { ...failed, message: 'run 3' }
    })
    await runs(2)
    const due = seen[1]?.due ?? ''
    expect(seen[1]).toEqual({ ...data(1), code: 'refused', message: 'run 2', next: 'run 3 of 3', due })
    expect(Date.parse(due)).toBeGreaterThanOrEqual(begun + 300)
    expect(Date.parse(due)).toBeLessThanOrEqual(Date.now() + 100)
    await becomes(1, 'failed')
    const ended = JSON.parse((await raw(1)).data ?? '{}') as RetryData
    expect(ended).toMatchObject({ message: 'run 3', next: 'no further run', due: 'never' })
  })

  test('a failure without a further run ends the job at once', async () => {
    await queue.put([job(1)])
    const { ran, runs } = consume(async () => ({ verdict: 'failed', code: 'refused', message: '' }))
    await runs(1)
    await becomes(1, 'failed')
    expect(ran.length).toBe(1)
  })

  test('a run that could not be made spends none', async () => {
    await queue.put([job(1, { runs: 1 })])
    const { ran, runs } = consume(async () =>
      ran.length < 3 ? { verdict: 'later', reason: 'Kafka is away' } : ENDED,
    )
    await runs(3)
    expect(ran.map(({ failed }) => failed)).toEqual([0, 0, 0])
    await becomes(1, 'completed')
  })

  test('put is silent where the job exists; replace takes the place of a finished one and leaves one that runs', async () => {
    await queue.put([job(1)])
    const gate = Promise.withResolvers<void>()
    const { ran, runs } = consume(async ({ offset }) => {
      if (offset === 2) await gate.promise
      return ENDED
    })
    await becomes(1, 'completed')
    await queue.put([job(1)])
    expect(await stateOf(1)).toBe('completed')
    await queue.put([job(2)])
    await runs(2)
    await queue.replace([job(1), job(2)])
    await runs(3)
    await becomes(1, 'completed')
    gate.resolve()
    await becomes(2, 'completed')
    expect(ran.map(({ offset }) => offset)).toEqual([1, 2, 1])
  })

  test('a flushed Redis: what is put afterwards runs, without a new consumer', async () => {
    await using own = await startOwnRedis()
    url = own.url
    const client = await connected(new Redis(url))
    const flushed = retryQueue(client, place, events)
    const { ran, runs, consumer } = consume(async () => ENDED)
    await flushed.put([job(1)])
    await runs(1)
    await flushed.put([job(2, { delayMs: 60_000 })])
    await client.flushall()
    expect(await flushed.states([data(2)])).toEqual(['missing'])
    await flushed.put([job(3)])
    await runs(2)
    expect(ran.map(({ offset }) => offset)).toEqual([1, 3])
    await consumer.stop(1000)
    await flushed.close()
    client.disconnect()
  })

  test('a Redis that is away from the start refuses at once; what is put when it is there runs', async () => {
    await using own = await startOwnRedis()
    url = own.url
    await own.kill()
    const settings = readSettings({}, { redisUrl: url })
    const client = await connectRedis(settings, { mayBeAway: true })
    const late = retryQueue(client, place, events)
    const away = performance.now()
    await expect(late.put([job(1)])).rejects.toThrow('Redis is away')
    await expect(late.states([data(1)])).rejects.toThrow('Redis is away')
    expect(performance.now() - away).toBeLessThan(1000)
    const ready = new Promise((resolve) => client.once('ready', resolve))
    await own.start()
    await ready
    const { runs, consumer } = consume(async () => ENDED)
    await late.put([job(1)])
    await runs(1)
    await consumer.stop(1000)
    await late.close()
    client.disconnect()
  })

  test('a job that loses its lock runs a second time; twice lost it has failed, and nobody was told', async () => {
    await queue.put([job(1)])
    const { ran, runs } = consume(() => new Promise(() => undefined), 1000)
    const lock = `${place.prefix}:${place.name}:${jobId(0, 1)}:lock`
    const losing = setInterval(() => void redis.del(lock), 50)
    await runs(2)
    await becomes(1, 'failed')
    clearInterval(losing)
    expect(ran.map(({ failed }) => failed)).toEqual([0, 0])
    expect((await raw(1)).failedReason).toContain('stalled')
  })

  test('stop waits for what runs, up to its deadline, and never for a Redis that is away', async () => {
    await using own = await startOwnRedis()
    url = own.url
    const client = await connected(new Redis(url, { retryStrategy: () => null }))
    client.on('error', () => undefined)
    const lost = retryQueue(client, place, events)
    await lost.put([job(1)])
    const { runs, consumer } = consume(() => new Promise(() => undefined))
    await runs(1)
    await own.kill()
    const started = performance.now()
    await consumer.stop(500)
    expect(performance.now() - started).toBeLessThan(5000)
    client.disconnect()
  })
})

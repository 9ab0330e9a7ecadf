/** Guarantee: the retry queue may be emptied, meddled with or left in the middle of its work; no record is lost or doubled. */
import { fileURLToPath } from 'node:url'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { openQueue, parkedUpTo, produceValues, resultsSent, unparked } from '../support/retries.ts'
import { startOwnRedis, useServices } from '../support/services.ts'

const patient = fileURLToPath(new URL('fixtures/patient.ts', import.meta.url))
const numbers = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, n) => ({ n, ...more }))

test('FLUSHALL while 1,000 are parked: each is queued again and settled once', {
  timeout: 180_000,
}, async () => {
  const { kafka } = await useServices()
  await using server = await startOwnRedis()
  const settings = { retryDelay: 15_000, retryGrace: 1000, lease: 3000 }
  await using cluster = await TestCluster.open({ kafka, redis: server.url, pipeline: patient, settings })
  const { workers } = await cluster.start(2)
  await produceValues(cluster, numbers(1000))
  await parkedUpTo(cluster, 1000, 30_000)
  await using queue = openQueue(cluster)
  await until('all jobs wait', 20_000, async () => (await queue.getDelayedCount()) === 1000)
  const redis = new Redis(server.url)
  await redis.flushall()
  redis.disconnect()
  expect(await queue.getDelayedCount(), 'the fault was seen').toBe(0)
  await unparked(cluster, 60_000)
  expect(workers.count(/parked records queued again/)).toBeGreaterThan(0)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: 1000, outputs: 1000, parked: 0 })
})

test('jobs removed by hand, stalled and run twice, retried after they were done: each record has one fate', {
  timeout: 240_000,
}, async () => {
  const { kafka, redis: url } = await useServices()
  const settings = { retryDelay: 10_000, retryGrace: 1000 }
  await using cluster = await TestCluster.open({ kafka, redis: url, pipeline: patient, settings })
  await cluster.start(2)
  await produceValues(cluster, numbers(200, { slow: 1000 }))
  await parkedUpTo(cluster, 200, 30_000)
  await using queue = openQueue(cluster)
  await until('all jobs wait', 20_000, async () => (await queue.getDelayedCount()) >= 200)
  for (const job of (await queue.getDelayed()).slice(0, 50)) await job.remove()
  await until('jobs run', 20_000, async () => (await queue.getActiveCount()) > 20)
  await using stalling = await stall(queue)
  expect(stalling.begunAnew).toBeGreaterThan(0)
  await unparked(cluster, 60_000)
  // A second run that lost its lock as well is found by a later look.
  await until('the queue is idle', 90_000, async () => (await queue.getActiveCount()) === 0)
  expect(await resultsSent(cluster), 'some ran twice').toBeGreaterThan(200)
  const done = (await queue.getCompleted()).slice(0, 50)
  for (const job of done) await job.retry('completed')
  await until('they are done again', 20_000, async () => {
    const { waiting = 0, active = 0, delayed = 0 } = await queue.getJobCounts('waiting', 'active', 'delayed')
    return waiting + active + delayed === 0
  })
  expect(done.length).toBe(50)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: 200, outputs: 200, parked: 0 })
})

/**
 * Takes the locks of the jobs that run, as a worker loses them that stood still, and has them begin anew. Its looks for stalled
 * jobs go on until it is disposed: the workers look by themselves as well, but every 30 s.
 */
const stall = async (
  queue: ReturnType<typeof openQueue>,
): Promise<{ readonly begunAnew: number } & AsyncDisposable> => {
  const { redis, name, opts } = queue
  // It takes no job: its first look marks what runs, the next begins anew what has no lock.
  const checker = new Worker(name, null, {
    connection: redis,
    prefix: opts.prefix ?? '',
    stalledInterval: 100,
    autorun: false,
  })
  const stalled = new Set<string>()
  checker.on('stalled', (id) => stalled.add(id))
  const active = await queue.getActive()
  await checker.startStalledCheckTimer()
  await until('jobs have stalled', 20_000, async () => {
    if (stalled.size > 0) return true
    await redis.del(queue.toKey('stalled-check'), ...active.map(({ id }) => queue.toKey(`${id}:lock`)))
    return false
  })
  return { begunAnew: stalled.size, [Symbol.asyncDispose]: () => checker.close(true) }
}

test('SIGTERM with 1,000 delayed and 50 active jobs: exits 0 in under 10 s, the next worker ends them', {
  timeout: 180_000,
}, async () => {
  const { kafka, redis } = await useServices()
  const settings = { retryDelay: 600_000, retryGrace: 1000 }
  await using cluster = await TestCluster.open({ kafka, redis, pipeline: patient, settings })
  const { workers } = await cluster.start(2)
  await produceValues(cluster, [...numbers(50, { slow: 6000 }), ...numbers(1000)])
  await parkedUpTo(cluster, 1050, 30_000)
  await using queue = openQueue(cluster)
  await until('all jobs wait', 20_000, async () => (await queue.getDelayedCount()) === 1050)
  const slow = (await queue.getDelayed()).filter(({ data }) => data.preview.includes('slow'))
  await Promise.all(slow.map((job) => job.promote()))
  await until('50 run', 20_000, async () => (await queue.getActiveCount()) >= 50)
  const asked = performance.now()
  expect(await workers.stop('SIGTERM')).toBe(0)
  const took = performance.now() - asked
  console.info(`SIGTERM to exit with 1,000 delayed and 50 active jobs: ${Math.round(took)} ms`)
  expect(took).toBeLessThan(10_000)
  expect(await cluster.audit()).toMatchObject({ lost: 0, double: 0, foreign: 0, parked: 1050 })
  expect(await queue.getDelayedCount()).toBeGreaterThanOrEqual(1000)
  cluster.run('worker', '--processes', '2')
  await cluster.settled(60_000)
  await queue.promoteJobs({ count: 2000 })
  await unparked(cluster, 90_000)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: 1050, outputs: 1050, parked: 0 })
})

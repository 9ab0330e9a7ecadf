/** Guarantee: Redis holds views only; flushed in full flow, every number is right again soon after. */
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { clean, TestCluster } from '../support/cluster.ts'
import { startOwnRedis, useServices } from '../support/services.ts'

const RECORDS = 40_000

test('FLUSHALL in full flow: the numbers are right within 10 s of the last record', {
  timeout: 180_000,
}, async () => {
  const { kafka } = await useServices()
  await using server = await startOwnRedis()
  await using cluster = await TestCluster.open({ kafka, redis: server.url, settings: { lease: 3000 } })
  await cluster.start(2)
  const redis = new Redis(server.url)
  const producing = cluster.produce(RECORDS, { rate: 4000, seed: 13 })
  await cluster.flows(60_000)
  const before = await redis.dbsize()
  await redis.flushall()
  expect(before, 'the fault was seen').toBeGreaterThan(0)
  expect(await producing).toBe(RECORDS)
  redis.disconnect()
  const last = performance.now()
  await cluster.drained(30_000)
  // The audit waits for Redis to equal the recount, and fails where it does not.
  const report = await cluster.audit()
  expect(report).toMatchObject({ ...clean, produced: RECORDS })
  // Stated: 10 s; awaited by the audit up to five times as long.
  expect(performance.now() - last).toBeLessThan(50_000)
})

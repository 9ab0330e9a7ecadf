/** Guarantee: a retry loses nothing and doubles nothing, whatever happens to workers, Redis and the queue. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { clean, TestCluster } from '../support/cluster.ts'
import { unparked } from '../support/retries.ts'
import { useServices } from '../support/services.ts'

const flaky = fileURLToPath(new URL('fixtures/flaky.ts', import.meta.url))
const RECORDS = Number(process.env.RETRY_RECORDS ?? 20_000)

test(`${RECORDS} records, 30 % fail twice, 1 % for ever, workers killed: each has one fate`, {
  timeout: 180_000,
}, async () => {
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis, pipeline: flaky, partitions: 4 })
  const { workers } = await cluster.start(2)
  const started = performance.now()
  const producing = cluster.produce(RECORDS, { rate: 5000, seed: 23, corrupt: 0 })
  for (let kill = 1; kill <= 2; kill++) {
    await cluster.flows(60_000)
    const [victim] = await cluster.reports()
    if (victim !== undefined) process.kill(victim.pid, 'SIGKILL')
    await workers.says(/ended \(SIGKILL\)/, 30_000, kill)
    await cluster.settled(60_000)
  }
  expect(await producing).toBe(RECORDS)
  await cluster.drained(60_000)
  await unparked(cluster, 120_000)
  console.info(`all settled after ${Math.round(performance.now() - started)} ms`)
  const report = await cluster.audit()
  console.info(JSON.stringify(report).slice(0, 600))
  expect(report).toMatchObject({ ...clean, produced: RECORDS, parked: 0 })
})

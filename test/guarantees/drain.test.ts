/** Guarantee: SIGTERM in full flow ends in good order, quickly, and nothing is processed again. */
import { expect, test } from 'vitest'
import { clean, TestCluster } from '../support/cluster.ts'
import { useServices } from '../support/services.ts'

const RECORDS = 50_000

test('SIGTERM in full flow: exits 0 in under 10 s, the next worker goes on where it stood', {
  timeout: 180_000,
}, async () => {
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis })
  const { workers } = await cluster.start(2)
  const producing = cluster.produce(RECORDS, { rate: 10_000, seed: 17 })
  await cluster.flows(60_000)
  const asked = performance.now()
  expect(await workers.stop('SIGTERM')).toBe(0)
  const took = performance.now() - asked
  console.info(`SIGTERM to exit: ${Math.round(took)} ms`)
  expect(took).toBeLessThan(10_000)
  const report = await cluster.audit()
  // Every record that left its position has its fate, and none has two: what was begun was ended.
  expect(report).toMatchObject({ lost: 0, double: 0, foreign: 0 })
  const after = cluster.run('worker', '--processes', '2')
  expect(await producing).toBe(RECORDS)
  await cluster.settled(60_000)
  await cluster.drained(60_000)
  expect(after.count(/ended/)).toBe(0)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: RECORDS })
})

/**
 * Guarantee: a retry loses nothing and doubles nothing, whatever happens to workers, Redis and the queue.
 * The long form: `RETRY_RECORDS=100000 npm test -- test/guarantees/retry`.
 */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { clean, TestCluster } from '../support/cluster.ts'
import { headerOf, produceValues, readAll, unparked } from '../support/retries.ts'
import { useServices } from '../support/services.ts'

const flaky = fileURLToPath(new URL('fixtures/flaky.ts', import.meta.url))
const brittle = fileURLToPath(new URL('fixtures/brittle.ts', import.meta.url))
const RECORDS = Number(process.env.RETRY_RECORDS ?? 20_000)
/** ms more that a longer run may take. */
const LONGER_MS = Math.max(0, RECORDS - 20_000) * 4

test(`${RECORDS} records, 30 % fail twice, 1 % for ever, workers killed: each has one fate`, {
  timeout: 180_000 + LONGER_MS,
}, async () => {
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis, pipeline: flaky, partitions: 4 })
  const { workers } = await cluster.start(2)
  const producing = cluster.produce(RECORDS, { rate: 5000, seed: 23, corrupt: 0 })
  for (let kill = 1; kill <= 2; kill++) {
    await cluster.flows(60_000)
    const [victim] = await cluster.reports()
    if (victim !== undefined) process.kill(victim.pid, 'SIGKILL')
    await workers.says(/ended \(SIGKILL\)/, 30_000, kill)
    await cluster.settled(60_000)
  }
  expect(await producing).toBe(RECORDS)
  await cluster.drained(60_000 + LONGER_MS)
  await unparked(cluster, 120_000 + LONGER_MS)
  const report = await cluster.audit()
  expect(report).toMatchObject({ ...clean, produced: RECORDS, parked: 0 })
  const letters = await readAll(cluster, cluster.names.deadLetters)
  expect(letters.length).toBe(report.dead)
  expect(letters.length).toBeGreaterThan(RECORDS * 0.005)
  for (const letter of letters)
    expect([headerOf(letter, HEADER.errorCode), headerOf(letter, HEADER.attempts)]).toEqual([
      'lookup-refuses',
      '4',
    ])
  const outputs = await readAll(cluster, cluster.names.output ?? '')
  const retried = outputs.filter((output) => headerOf(output, HEADER.attempts) === '3')
  expect(retried.length).toBeGreaterThan(RECORDS * 0.25)
})

test('a record that ends or holds its thread is tried again alone, then it is a dead letter with that cause', {
  timeout: 180_000,
}, async () => {
  const { kafka, redis } = await useServices()
  const settings = { taskTimeout: 3000 }
  await using cluster = await TestCluster.open({ kafka, redis, pipeline: brittle, partitions: 1, settings })
  await cluster.start(1)
  const fine = Array.from({ length: 20 }, (_, n) => ({ n }))
  await produceValues(cluster, [...fine, { n: 20, do: 'exit' }, { n: 21, do: 'exit', once: true }, ...fine])
  await produceValues(cluster, [{ n: 42, do: 'loop' }, { n: 43 }])
  await cluster.drained(90_000)
  // The partition has not waited for them, and the threads that died are there again.
  const asked = performance.now()
  await produceValues(cluster, [{ n: 44 }])
  await cluster.drained(30_000)
  const backMs = performance.now() - asked
  console.info(
    `retry: after threads that died and one that hung, a record is through in ${Math.round(backMs)} ms`,
  )
  expect(backMs).toBeLessThan(25_000)
  await unparked(cluster, 90_000)
  const letters = await readAll(cluster, cluster.names.deadLetters)
  expect(
    letters.map((letter) => [headerOf(letter, HEADER.errorCode), headerOf(letter, HEADER.attempts)]).sort(),
  ).toEqual([
    ['thread-exit', '2'],
    ['thread-timeout', '2'],
  ])
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: 45, outputs: 43, dead: 2, parked: 0 })
})

/** Guarantee: brokers come and go; nothing is lost or doubled, and work goes on by itself. */
import { expect, test } from 'vitest'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { startOwnKafka, useServices } from '../support/services.ts'

const RECORDS = 40_000

test('the only broker is killed and started again', { timeout: 240_000 }, async () => {
  const { redis } = await useServices()
  await using kafka = await startOwnKafka()
  const [broker] = kafka.brokers
  if (broker === undefined) throw new Error('no broker')
  await using cluster = await TestCluster.open({ kafka: kafka.addresses, redis })
  const { workers } = await cluster.start(2)
  expect(await cluster.produce(RECORDS, { seed: 19 })).toBe(RECORDS)
  await broker.kill()
  await workers.says(/waiting for kafka|restores/i, 60_000)
  await broker.start()
  await cluster.produce(RECORDS, { seed: 20 })
  await cluster.settled(90_000)
  await cluster.drained(90_000)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: await cluster.written() })
})

test('of three brokers (replication 3, min.insync.replicas 2) a leader is killed', {
  timeout: 300_000,
}, async () => {
  const { redis } = await useServices()
  await using kafka = await startOwnKafka({ brokers: 3 })
  await using cluster = await TestCluster.open({
    kafka: kafka.addresses,
    redis,
    partitions: 6,
    settings: { replication: 3, minInsyncReplicas: 2 },
  })
  const backlog = 5 * RECORDS
  expect(await cluster.produce(backlog, { seed: 23 })).toBe(backlog)
  await cluster.start(2)
  await cluster.flows(60_000)
  const leader = (await cluster.input.leader(cluster.names.input, 0))?.leader
  const victim = kafka.brokers.find(({ id }) => id === leader)
  if (victim === undefined) throw new Error('partition 0 has no leader')
  await victim.kill()
  const reports = await cluster.reports()
  const done = reports.flatMap(({ owned }) => owned).reduce((sum, { counters }) => sum + counters.done, 0)
  expect(done, 'the fault was seen: it came while records went through').toBeLessThan(backlog * 0.9)
  await until('the others lead', 60_000, async () => {
    await cluster.input.refresh(cluster.names.input).catch(() => undefined)
    const { partitions } = await cluster.input.topic(cluster.names.input)
    return partitions.every(({ leader: now }) => now >= 0 && now !== victim.id)
  })
  await cluster.produce(RECORDS, { seed: 24 })
  await cluster.settled(120_000)
  await cluster.drained(120_000)
  const written = await cluster.written()
  expect(written, 'the second load came on top').toBeGreaterThan(backlog)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: written })
})

test('of three brokers the first that is named is down when everybody starts', {
  timeout: 240_000,
}, async () => {
  const { redis } = await useServices()
  await using kafka = await startOwnKafka({ brokers: 3 })
  const settings = { replication: 3, minInsyncReplicas: 2 }
  await using cluster = await TestCluster.open({ kafka: kafka.addresses, redis, partitions: 6, settings })
  await kafka.brokers[0]?.kill()
  const { workers } = await cluster.start(1)
  expect(await cluster.produce(5000, { seed: 25 })).toBe(5000)
  await cluster.drained(90_000)
  expect(workers.count(/ended \(/)).toBe(0)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: 5000 })
})

/** Guarantee: a worker killed at any moment, also between send and commit and between commit and merge, loses and doubles nothing. */
import { expect, test } from 'vitest'
import { clean, TestCluster } from '../support/cluster.ts'
import { API } from '../support/proxy.ts'
import { seeded } from '../support/seed.ts'
import { startKafkaBehindProxies, useServices } from '../support/services.ts'

const RECORDS = 200_000
const KILLS = 10

const killAny = async (cluster: TestCluster, random: () => number): Promise<void> => {
  const reports = await cluster.reports()
  const victim = reports[Math.floor(random() * reports.length)]
  if (victim !== undefined) process.kill(victim.pid, 'SIGKILL')
}

test(`${RECORDS} records, 2 workers, ${KILLS} kills: lost 0, double 0, Redis equals the recount`, {
  timeout: 300_000,
}, async () => {
  const { random } = seeded('kill')
  const { redis } = await useServices()
  await using kafka = await startKafkaBehindProxies()
  const [proxy] = kafka.proxies
  if (proxy === undefined) throw new Error('no proxy')
  await using cluster = await TestCluster.open({ kafka: kafka.addresses, redis, partitions: 8 })
  const { workers } = await cluster.start(2)
  // Records flow for as long as there are kills to come: a kill waits for its moment in a commit.
  const enough = new AbortController()
  const flowing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 4000, seed: 7 }, enough.signal)
  for (let kill = 1; kill <= KILLS; kill++) {
    const moment = [API.produce, API.endTxn, undefined][kill % 3]
    if (moment === undefined) await killAny(cluster, random)
    else await cluster.killAfter(proxy, moment)
    await workers.says(/ended \(SIGKILL\)/, 30_000, kill)
    await cluster.settled(60_000)
  }
  enough.abort()
  const first = await flowing
  const produced = first + (await cluster.produce(Math.max(0, RECORDS - first), { seed: 8 }))
  expect(produced).toBeGreaterThanOrEqual(RECORDS)
  await cluster.drained(120_000)
  expect(workers.count(/ended \(SIGKILL\)/)).toBe(KILLS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced })
})

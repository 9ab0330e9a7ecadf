/** Guarantee: input on one Kafka cluster, all else on another: workers killed at any moment still lose nothing and double nothing. */
import { expect, test } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { clean, TestCluster } from '../support/cluster.ts'
import { API } from '../support/proxy.ts'
import { seeded } from '../support/seed.ts'
import { startKafkaBehindProxies, startOwnKafka, useServices } from '../support/services.ts'

const RECORDS = 20_000
const KILLS = 3

const topicsOf = async (cluster: TestCluster, which: 'input' | 'home'): Promise<readonly string[]> => {
  const all = await withAdmins(cluster.settings, (admins) => admins[which].listTopics())
  return all.filter((topic) => !topic.startsWith('__'))
}

test(`${RECORDS} records from one cluster into another, ${KILLS} kills: lost 0, double 0, over both`, {
  timeout: 240_000,
}, async () => {
  const { seed } = seeded('two-clusters')
  const { redis } = await useServices()
  await using input = await startOwnKafka()
  await using home = await startKafkaBehindProxies()
  const [proxy] = home.proxies
  if (proxy === undefined) throw new Error('no proxy')
  const settings = { homeBrokers: home.addresses }
  await using cluster = await TestCluster.open({ kafka: input.addresses, redis, settings })
  const { workers } = await cluster.start(2)
  const enough = new AbortController()
  const flowing = cluster.produce(Number.POSITIVE_INFINITY, { rate: 2000, seed }, enough.signal)
  for (let kill = 1; kill <= KILLS; kill++) {
    await cluster.killAfter(proxy, kill % 2 === 0 ? API.produce : API.endTxn)
    await workers.says(/ended \(SIGKILL\)/, 30_000, kill)
    await cluster.settled(60_000)
  }
  enough.abort()
  const first = await flowing
  const produced = first + (await cluster.produce(Math.max(0, RECORDS - first), { seed: seed + 1 }))
  expect(produced).toBeGreaterThanOrEqual(RECORDS)
  await cluster.drained(120_000)
  expect(workers.count(/ended \(SIGKILL\)/)).toBe(KILLS)
  const { names } = cluster
  expect(await topicsOf(cluster, 'input')).toEqual([names.input])
  const own = [names.output, names.deadLetters, names.state, names.drops]
  expect(await topicsOf(cluster, 'home')).toEqual(expect.arrayContaining(own))
  expect(await cluster.audit()).toMatchObject({ ...clean, produced })
})

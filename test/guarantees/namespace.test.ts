/**
 * Guarantee: two Kafka clusters that share one Redis under one cluster id by mistake: the second is refused at its start with one
 * line, whatever it starts, also after Redis was flushed; nothing of it is made, and no slot of the first goes to it.
 */
import { expect, test } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { createInput } from '../../cluster/kafka/admin.ts'
import { kafkaPlanSource } from '../../cluster/kafka/plan-log.ts'
import { clusterTopic } from '../../cluster/protocol/names.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { readSettings } from '../../cluster/settings.ts'
import { clean, Running, TestCluster, until } from '../support/cluster.ts'
import { startOwnKafka, startOwnRedis, useServices } from '../support/services.ts'

const RECORDS = 20_000
const START_MS = 60_000

/** Everybody whom a plan gave a slot to. */
const ownersPlanned = (cluster: TestCluster) => {
  const owners = new Set<string>()
  const topic = clusterTopic(cluster.settings.topicPrefix)
  const source = kafkaPlanSource({ topology: cluster.input, topic, notice: () => undefined })
  const stop = source.follow((plan) => {
    for (const owner of plan.owners ?? []) if (owner !== null) owners.add(owner)
  })
  return { owners, [Symbol.dispose]: stop }
}

test('another Kafka cluster under the same cluster id is refused, and the first goes on: lost 0, double 0', {
  timeout: 240_000,
}, async () => {
  const { kafka } = await useServices()
  await using redisServer = await startOwnRedis()
  await using other = await startOwnKafka()
  await using cluster = await TestCluster.open({ kafka, redis: redisServer.url })
  const { clusterId } = cluster.settings
  const home = keysOf(clusterId).home
  await using stack = new AsyncDisposableStack()
  const redis = stack.adopt(await connectRedis(cluster.settings), closeRedis)
  const elsewhere = { MILLRACE_KAFKA_BROKERS: other.addresses.join(',') }
  const there = readSettings({}, { ...cluster.settings, kafkaBrokers: other.addresses })
  await withAdmins(there, ({ input }) => createInput(input, cluster.names.input, there))
  const start = (env: Readonly<Record<string, string>>, ...args: readonly string[]) =>
    stack.use(new Running(args, { ...cluster.env, ...env }))
  const live = async () => (await cluster.roster()).live.map(({ worker }) => worker)

  const { coordinator, workers } = await cluster.start(2)
  await until('both workers have joined', START_MS, async () => (await live()).length === 2)
  const producing = cluster.produce(RECORDS, { rate: 2000, seed: 3 })
  const own = await live()
  using plans = ownersPlanned(cluster)

  const refused = async (env: Readonly<Record<string, string>>, why: RegExp, ...args: readonly string[]) => {
    const one = start(env, ...args)
    expect(await one.exited, one.lines.join('\n')).toBe(5)
    const said = one.lines.filter((line) => line.startsWith('millrace: '))
    expect(said).toEqual([expect.stringMatching(why)])
    expect(said[0]).toContain(`delete the key ${home} there`)
  }
  const anotherCluster = /belong to Kafka cluster \S+, and this is Kafka cluster \S+; .*MILLRACE_CLUSTER_ID/
  await refused(elsewhere, anotherCluster, 'coordinator')
  await refused(elsewhere, anotherCluster, 'worker', '--processes', '2')
  await refused(elsewhere, anotherCluster, 'run')
  const prefix = { MILLRACE_TOPIC_PREFIX: `${cluster.settings.topicPrefix}b.` }
  await refused(prefix, /belong to topic prefix '\S+' of this Kafka cluster, and this is/, 'coordinator')

  await redis.flushall()
  await until('the leader has claimed its keys again', START_MS, async () => (await redis.exists(home)) === 1)
  await refused(elsewhere, anotherCluster, 'worker')
  const made = await withAdmins(there, (admins) => admins.home.listTopics())
  expect(made.filter((topic) => !topic.startsWith('__'))).toEqual([cluster.names.input])

  expect(await producing).toBe(RECORDS)
  await cluster.drained(START_MS)
  expect(await live()).toEqual(own)
  expect(own).toEqual(expect.arrayContaining([...plans.owners]))
  expect(plans.owners.size).toBeGreaterThan(0)
  expect(workers.count(/fenced|starts again/)).toBe(0)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: RECORDS })

  // What the line says helps: an id of its own; or, when the first is gone for good, its key is deleted.
  const apart = start({ ...elsewhere, MILLRACE_CLUSTER_ID: `${clusterId}-b` }, 'coordinator')
  await apart.says(/ leads/, START_MS)
  expect(await coordinator.stop()).toBe(0)
  await redis.del(home)
  const successor = start(elsewhere, 'coordinator')
  await successor.says(/coordinator .* serves/, START_MS)
})

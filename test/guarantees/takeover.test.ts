/** Guarantee: what cannot be gone on with safely stops its shard by name: never a silent jump, never a silent new beginning. */
import { expect, test } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { connectTopology } from '../../cli/host.ts'
import { createInput } from '../../cluster/kafka/admin.ts'
import { scan } from '../../cluster/kafka/scan.ts'
import { stateKey } from '../../cluster/protocol/state.ts'
import { TestCluster, until } from '../support/cluster.ts'
import { useServices } from '../support/services.ts'

const RECORDS = 2000

/** Runs the pipeline over some records and stops it in good order. */
const processed = async (): Promise<TestCluster> => {
  const { kafka, redis } = await useServices()
  const cluster = await TestCluster.open({ kafka, redis, partitions: 1, settings: { mirrorInterval: 100 } })
  await cluster.produce(RECORDS, { seed: 29 })
  const { workers, coordinator } = await cluster.start(1)
  await cluster.drained(60_000)
  await workers.stop()
  await coordinator.stop()
  return cluster
}

const haltsWith = async (cluster: TestCluster, pattern: RegExp): Promise<void> => {
  cluster.run('coordinator')
  const workers = cluster.run('worker')
  await workers.says(pattern, 60_000)
  const [report] = await cluster.reports()
  expect(report?.owned.map(({ state }) => state)).not.toContain('running')
}

const positionsIn = async (cluster: TestCluster): Promise<number[]> => {
  const home = await connectTopology(cluster.settings, 'home')
  const found: number[] = []
  const to = (await home.ends(cluster.names.state, [0])).get(0) ?? 0
  await scan(home, { topic: cluster.names.state, partition: 0, from: 0, to }, (cursor) => {
    const key = cursor.bytes.toString('utf8', cursor.keyStart, cursor.keyEnd)
    if (key === stateKey.position(0) && cursor.valueStart >= 0)
      found.push(JSON.parse(cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)).next)
  })
  await home.connections.close()
  return found
}

test('a position below the log start halts with position-gap and stays where it is', {
  timeout: 120_000,
}, async () => {
  await using cluster = await processed()
  await cluster.produce(RECORDS, { seed: 30 })
  const topic = cluster.names.input
  await withAdmins(cluster.settings, async ({ input }) => {
    // kafkajs deletes only where it has asked for the topic before.
    await input.fetchTopicOffsets(topic)
    await input.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(RECORDS + 10) }] })
  })
  await haltsWith(cluster, /halted, position-gap: .*position 2000 .*2010/)
  expect(Math.max(...(await positionsIn(cluster)))).toBe(RECORDS)
})

test('an input topic deleted and made again halts with topic-recreated', { timeout: 120_000 }, async () => {
  await using cluster = await processed()
  await withAdmins(cluster.settings, async ({ input }) => {
    await input.deleteTopics({ topics: [cluster.names.input] })
    await until(
      'the topic is gone',
      30_000,
      async () => !(await input.listTopics()).includes(cluster.names.input),
    )
    await createInput(input, cluster.names.input, cluster.settings)
  })
  await cluster.produce(RECORDS * 2, { seed: 31 })
  await haltsWith(cluster, /halted, topic-recreated/)
  expect(Math.max(...(await positionsIn(cluster)))).toBe(RECORDS)
})

test('a lost state topic halts with state-lost instead of beginning anew', { timeout: 120_000 }, async () => {
  await using cluster = await processed()
  await withAdmins(cluster.settings, async ({ home }) => {
    await home.deleteTopics({ topics: [cluster.names.state] })
    await until(
      'the topic is gone',
      30_000,
      async () => !(await home.listTopics()).includes(cluster.names.state),
    )
  })
  await haltsWith(cluster, /halted, state-lost/)
})

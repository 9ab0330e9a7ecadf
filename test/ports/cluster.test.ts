/** Three brokers, replication 3: leaders and coordinators die in the middle of reading and writing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withAdmins } from '../../cli/admins.ts'
import { connectTopology } from '../../cli/host.ts'
import { awaitKafka } from '../../cluster/kafka/client.ts'
import type { Writer } from '../../cluster/kafka/ports.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { readSettings } from '../../cluster/settings.ts'
import { uniqueName } from '../support/services.ts'
import { type Collector, collect } from './collect.ts'
import { type RealWorld, realWorld } from './real.ts'
import { part } from './records.ts'

let world: RealWorld
beforeAll(async () => {
  world = await realWorld(3)
})
afterAll(() => world?.close())

const PARTITIONS = 3

interface Story {
  /** Values known to be committed, and those of which nobody can know but the log. */
  readonly committed: number[]
  readonly unclear: number[]
}

/** Writes one value after the other to every partition until told to stop; whatever is unclear it reopens from. */
const keepWriting = (writer: Writer, topic: string) => {
  const story: Story = { committed: [], unclear: [] }
  let stopped = false
  const run = async () => {
    for (let value = 0; !stopped; value++) {
      const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
      const result = await writer.transact(partitions.map((partition) => part(topic, partition, `${value}`)))
      if (result.result === 'committed') story.committed.push(value)
      else {
        expect(result.result).toBe('unclear')
        story.unclear.push(value)
        while ((await writer.reopen()).result !== 'open') expect(stopped).toBe(false)
      }
    }
  }
  const running = run()
  const until = async (count: number) => {
    while (story.committed.length < count)
      await Promise.race([running, new Promise((go) => setTimeout(go, 10))])
  }
  const stop = async () => {
    stopped = true
    await running
    return story
  }
  return { story, until, stop }
}

/** Every committed value once, in order; an unclear one at most once; the same in all partitions. */
const judge = (sinks: readonly Collector[], { committed, unclear }: Story) => {
  const [first] = sinks
  const values = first?.values.map(Number) ?? []
  expect(values.filter((value) => !unclear.includes(value))).toEqual(committed)
  expect(values).toEqual([...new Set(values)].sort((a, b) => a - b))
  for (const sink of sinks) {
    expect(sink.values.map(Number)).toEqual(values)
    expect(sink.broken).toEqual([])
    expect(sink.faults).toEqual([])
  }
}

const setup = async () => {
  const topic = uniqueName('three')
  await world.makeTopic(topic, { partitions: PARTITIONS, config: { 'min.insync.replicas': '2' } })
  const topology = await world.topology(2000)
  await topology.topic(topic)
  const writer = new TransactionWriter(topology, {
    transactionalId: topic,
    transactionTimeout: 60_000,
    requestTimeout: 2000,
  })
  expect(await writer.fence()).toEqual({ result: 'open' })
  const reader = await world.reader(topic)
  const sinks = Array.from({ length: PARTITIONS }, (_, partition) => collect(reader, partition, 0))
  const leaderOf = (partition: number) => {
    const leader = topology.known(topic, partition)?.leader
    const broker = world.cluster.brokers.find(({ id }) => id === leader)
    if (broker === undefined) throw new Error('every partition has a leader')
    return broker
  }
  const finish = async (story: Story) => {
    for (const [partition, sink] of sinks.entries())
      await sink.position(await world.decidedEnd(topic, partition))
    await reader.stop()
    judge(sinks, story)
  }
  return { topic, topology, writer, sinks, leaderOf, finish }
}

describe('three brokers', () => {
  test('a leader is killed while it is read and written: both go on at the next, nothing lost or doubled', async () => {
    const { topic, topology, writer, leaderOf, finish } = await setup()
    const writing = keepWriting(writer, topic)
    await writing.until(20)
    const killed = leaderOf(1)
    await killed.kill()
    await writing.until(60)
    expect(topology.known(topic, 1)?.leader).not.toBe(killed.id)
    await killed.start()
    await writing.until(100)
    await finish(await writing.stop())
  }, 120_000)

  test('a leader stands still while it is read and written: both go on at the next, and its waking harms nothing', async () => {
    const { topic, topology, writer, leaderOf, finish } = await setup()
    const writing = keepWriting(writer, topic)
    await writing.until(20)
    const frozen = leaderOf(0)
    frozen.signal('SIGSTOP')
    try {
      await writing.until(60)
      expect(topology.known(topic, 0)?.leader).not.toBe(frozen.id)
    } finally {
      frozen.signal('SIGCONT')
    }
    await writing.until(100)
    await finish(await writing.stop())
  }, 120_000)

  test('a topic of somebody else that nobody leads keeps nobody from connecting, nor does the first bootstrap address, behind which nobody is', async () => {
    const [lost] = world.cluster.brokers
    if (lost === undefined) throw new Error('a cluster has brokers')
    const settings = readSettings({}, { kafkaBrokers: world.cluster.addresses })
    const topic = uniqueName('unled')
    const replicaAssignment = [{ partition: 0, replicas: [lost.id] }]
    await withAdmins(settings, ({ home }) => home.createTopics({ topics: [{ topic, replicaAssignment }] }))
    const watching = await world.topology()
    await watching.topic(topic)
    await lost.kill()
    try {
      while (watching.known(topic, 0) !== undefined) await watching.refresh(topic)
      await awaitKafka(settings, 'home')
      const topology = await connectTopology(settings, 'home')
      await topology.connections.refresh()
      await topology.connections.close()
      const made = uniqueName('made')
      await withAdmins(settings, async ({ home }) => {
        expect((await home.describeCluster()).brokers).toHaveLength(2)
        await home.createTopics({ topics: [{ topic: made, replicationFactor: 1 }] })
        await home.deleteTopics({ topics: [topic, made] })
      })
    } finally {
      await lost.start()
    }
  }, 120_000)

  test('every broker is killed and started in turn: nothing lost or doubled', async () => {
    const { topic, writer, finish } = await setup()
    const writing = keepWriting(writer, topic)
    for (const [index, broker] of world.cluster.brokers.entries()) {
      await writing.until(15 + index * 30)
      await broker.kill()
      await writing.until(30 + index * 30)
      await broker.start()
    }
    await writing.until(120)
    await finish(await writing.stop())
  }, 180_000)
})

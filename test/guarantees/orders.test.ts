/**
 * Guarantee: what a person orders is done, and nothing is lost or doubled by it; it outlives the coordinator and Redis. What is
 * forged or was given before moves nothing.
 */
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { connectTopology } from '../../cli/host.ts'
import type { ClusterStatus, ShownPipeline } from '../../cli/status/status.ts'
import { kafkaClient } from '../../cluster/kafka/client.ts'
import { type ClusterLook, lookAtCluster } from '../../cluster/kafka/cluster-look.ts'
import { encodeBatch } from '../../cluster/kafka/codec/records.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { clusterTopic } from '../../cluster/protocol/names.ts'
import { type Order, orderKey } from '../../cluster/protocol/orders.ts'
import type { Standing } from '../../cluster/protocol/plan.ts'
import { millrace } from '../cli/millrace.ts'
import { clean, type Running, TestCluster, until } from '../support/cluster.ts'
import { seeded } from '../support/seed.ts'
import { startOwnRedis, uniqueName, useServices } from '../support/services.ts'

const PARTITIONS = 8
const SLOTS = 4
const RATE = 600

const openCluster = async (): Promise<TestCluster> => {
  const { kafka, redis } = await useServices()
  return TestCluster.open({ kafka, redis, partitions: PARTITIONS, settings: { slots: SLOTS } })
}

/** @returns the one line that it says */
const order = async (cluster: TestCluster, ...args: readonly string[]): Promise<string> => {
  const run = await millrace(args, { env: cluster.env })
  expect(run, `${args.join(' ')}: ${run.stderr}`).toMatchObject({ code: 0, stderr: '' })
  return run.stdout.trimEnd()
}

const pipelineNow = async (cluster: TestCluster): Promise<ShownPipeline> => {
  const status: ClusterStatus = JSON.parse(await order(cluster, 'status', '-o', 'json'))
  const [pipeline] = status.pipelines
  if (pipeline === undefined) throw new Error('no pipeline')
  return pipeline
}

const slotsOf = async (cluster: TestCluster, worker: string): Promise<readonly number[]> =>
  (await cluster.reports())
    .filter((report) => report.worker === worker)
    .flatMap(({ owned }) => owned.map(({ slot }) => slot))

/** Next offset of each partition. */
const positions = async (cluster: TestCluster): Promise<ReadonlyMap<number, number>> =>
  new Map(
    (await cluster.reports()).flatMap(({ owned }) =>
      owned.flatMap((slot) => slot.partitions.map(({ partition, next }) => [partition, next] as const)),
    ),
  )

/** Each of these partitions has gone on by so many records since. */
const goesOn = async (cluster: TestCluster, which: readonly number[], records: number): Promise<void> => {
  const before = await positions(cluster)
  await until(`partitions ${which} go on`, 60_000, async () => {
    const now = await positions(cluster)
    return which.every((one) => (now.get(one) ?? 0) >= (before.get(one) ?? 0) + records)
  })
}

const all = Array.from({ length: PARTITIONS }, (_, partition) => partition)
const others = (...but: readonly number[]) => all.filter((partition) => !but.includes(partition))

/** Records flow until it is disposed; `sent` tells how many. */
const flow = (cluster: TestCluster, name: string) => {
  const enough = new AbortController()
  const seed = Math.floor(seeded(name).random() * 1e6)
  const sending = cluster.produce(Number.POSITIVE_INFINITY, { rate: RATE, seed }, enough.signal)
  return {
    sent: () => {
      enough.abort()
      return sending
    },
  }
}

const ends = async (cluster: TestCluster, sent: number): Promise<void> => {
  await cluster.settled(60_000)
  await cluster.drained(120_000)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: sent })
}

test('in full flow a worker is drained, slots are moved and pinned: each is where it was ordered, nothing is lost or doubled', {
  timeout: 300_000,
}, async () => {
  await using cluster = await openCluster()
  await cluster.start(2)
  const flowing = flow(cluster, 'orders in full flow')
  await cluster.flows(60_000)
  const [one, two] = (await cluster.reports()).map(({ worker }) => worker)
  if (one === undefined || two === undefined) throw new Error('two workers were started')

  expect(await order(cluster, 'drain', one)).toMatch(
    new RegExp(`^drained by plan \\d+: worker ${one} of user-login owns nothing`),
  )
  expect(await slotsOf(cluster, one), 'the command waited for it').toEqual([])
  await cluster.settled(60_000)
  expect(await slotsOf(cluster, two)).toHaveLength(SLOTS)
  await goesOn(cluster, all, 50)
  expect((await pipelineNow(cluster)).workers?.map(({ worker, drained }) => [worker, drained])).toEqual([
    [one, true],
    [two, false],
  ])
  const refused = await millrace(['move', '1', one], { env: cluster.env })
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is drained by order') })

  await order(cluster, 'drain', one, '--undo')
  expect(await order(cluster, 'move', '5', one)).toMatch(
    new RegExp(`^moved by plan \\d+: slot 1 \\(partitions 1, 5\\) of user-login to ${one}; later plans may`),
  )
  expect(await order(cluster, 'pin', '6', one)).toMatch(
    new RegExp(`^pinned by plan \\d+: slot 2 \\(partitions 2, 6\\) of user-login to ${one}, for as long`),
  )
  await cluster.settled(60_000)
  expect(await slotsOf(cluster, one)).toContain(2)
  expect((await pipelineNow(cluster)).orders).toEqual({ pins: { 2: one }, drains: [], paused: [], open: [] })
  const elsewhere = await millrace(['move', '2', two], { env: cluster.env })
  expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining(`slot 2 is pinned to ${one};`) })
  expect(await order(cluster, 'pin', '2', '--undo')).toMatch(/^pinned no longer, by plan \d+: slot 2 /)
  expect((await pipelineNow(cluster)).orders.pins).toEqual({})
  await goesOn(cluster, all, 50)
  await ends(cluster, await flowing.sent())
})

test('a paused partition stands, the others go on, those of its slot too; resumed it goes on where it stood', {
  timeout: 240_000,
}, async () => {
  await using cluster = await openCluster()
  await cluster.start(2)
  const flowing = flow(cluster, 'a pause')
  await cluster.flows(60_000)
  expect(await order(cluster, 'pause', '3')).toMatch(
    /^paused by plan \d+: partition 3 of user-login; not read/,
  )
  await goesOn(cluster, others(3), 100)
  const stood = (await positions(cluster)).get(3)
  await goesOn(cluster, others(3), 200)
  expect((await positions(cluster)).get(3)).toBe(stood)
  const slot = (await pipelineNow(cluster)).slots[3]
  expect(slot?.partitions.map(({ partition, state }) => [partition, state])).toEqual([
    [3, 'paused'],
    [7, 'running'],
  ])
  await order(cluster, 'pause', '7')
  await until('the slot names why it waits', 20_000, async () =>
    (await cluster.reports()).some(({ owned }) =>
      owned.some((report) => report.slot === 3 && report.reason === 'paused by order'),
    ),
  )
  expect(await order(cluster, 'resume', '3', '7')).toMatch(
    /^resumed by plan \d+: partitions 3, 7 of user-login$/,
  )
  await goesOn(cluster, all, 100)
  await ends(cluster, await flowing.sent())
})

const lookAt = async ({ settings }: TestCluster): Promise<ClusterLook> => {
  const topology = await connectTopology(settings, 'home')
  try {
    const topic = clusterTopic(settings.topicPrefix)
    return await lookAtCluster({ topology, topic, notice: () => undefined })
  } finally {
    await topology.connections.close()
  }
}
const standingIn = async (cluster: TestCluster): Promise<Standing | undefined> =>
  (await lookAt(cluster)).plans.get(cluster.pipeline.name)?.plan.orders

const messageOf = (one: Order) => ({ key: orderKey(one), value: JSON.stringify(one) })

/** With a plain producer, as anybody who may write to the topic. */
const forge = async ({ settings }: TestCluster, forged: Order): Promise<void> => {
  const producer = kafkaClient(settings, 'home').producer()
  await producer.connect()
  await producer.send({ topic: clusterTopic(settings.topicPrefix), messages: [messageOf(forged)] })
  await producer.disconnect()
}

/** In a transaction, as it was given. */
const replay = async ({ settings }: TestCluster, given: Order): Promise<void> => {
  const topology = await connectTopology(settings, 'home')
  try {
    const { transactionTimeout, requestTimeout, topicPrefix } = settings
    const transactionalId = uniqueName('replayer')
    const writer = new TransactionWriter(topology, { transactionalId, transactionTimeout, requestTimeout })
    await writer.fence()
    const batch = encodeBatch([{ timestamp: Date.now(), ...messageOf(given) }])
    if (batch === undefined) throw new Error('no record')
    const part = { topic: clusterTopic(topicPrefix), partition: 0, bytes: batch.bytes, records: batch.count }
    expect((await writer.transact([part])).result).toBe('committed')
  } finally {
    await topology.connections.close()
  }
}

const apiStatus = async (coordinator: Running) => {
  const line = coordinator.lines.find((one) => one.includes('/api/status')) ?? ''
  return (await fetch(/http\S+\/api\/status/.exec(line)?.[0] ?? '')).json()
}

test('orders outlive the coordinator and a flushed Redis; a forged and a replayed one move nothing, with one line each', {
  timeout: 300_000,
}, async () => {
  const { kafka } = await useServices()
  await using server = await startOwnRedis()
  await using cluster = await TestCluster.open({
    ...{ kafka, redis: server.url, partitions: PARTITIONS },
    settings: { slots: SLOTS, lease: 3000 },
  })
  const { coordinator, workers } = await cluster.start(3)
  const flowing = flow(cluster, 'orders that outlive')
  await cluster.flows(60_000)
  const [one, two, three] = (await cluster.reports()).map(({ worker }) => worker)
  if (one === undefined || two === undefined || three === undefined) throw new Error('three were started')
  await order(cluster, 'drain', one)
  await order(cluster, 'pin', '0', two)
  await order(cluster, 'drain', three)
  await order(cluster, 'pause', '3')
  await order(cluster, 'drain', three, '--undo')
  const before = await standingIn(cluster)
  expect(before).toMatchObject({ pins: { 0: two }, drains: [one], paused: [3] })

  await coordinator.stop('SIGKILL')
  const redis = new Redis(server.url)
  expect(await redis.dbsize(), 'the fault was seen').toBeGreaterThan(0)
  await redis.flushall()
  redis.disconnect()
  const next = cluster.run('coordinator')
  await next.says(/leads/, 60_000)
  // A worker that dies makes the new leader look at who owns what.
  const victim = (await cluster.reports()).find(({ worker }) => worker === two)
  process.kill(victim?.pid ?? 0, 'SIGKILL')
  await workers.says(/ended \(SIGKILL\)/, 30_000)
  // Where its lease ended before it was back, another had the slot meanwhile.
  await until('it has the slot again that is pinned to it', 60_000, async () =>
    (await slotsOf(cluster, two)).includes(0),
  )
  await cluster.settled(60_000)
  expect(await standingIn(cluster)).toEqual(before)
  expect(await slotsOf(cluster, one), 'still drained').toEqual([])

  const given = (await lookAt(cluster)).orders
  const drained = given.find(({ act }) => act.kind === 'drain' && act.worker === three && act.on)
  const newest = given.at(-1)
  if (drained === undefined || newest === undefined) throw new Error('orders were given')
  const act = { kind: 'pause', partition: 1, on: true } as const
  await forge(cluster, { ...newest, epoch: newest.epoch + 100, id: 'forged', act })
  await replay(cluster, drained)
  // Whoever has taken this up has read those two.
  expect(await order(cluster, 'resume', '3')).toMatch(/^resumed by plan/)
  const after = await standingIn(cluster)
  expect(after).toEqual({ ...before, seen: newest.epoch + 1, paused: [] })
  expect(next.count(/was not written in a transaction/)).toBe(1)
  expect(next.count(/has epoch \d+, and \d+ was given before/)).toBe(1)
  expect(await apiStatus(next)).toMatchObject({ leading: true, plans: [{ orders: after }] })
  await goesOn(cluster, all, 100)
  await ends(cluster, await flowing.sent())
})

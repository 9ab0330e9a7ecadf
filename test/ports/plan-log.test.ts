import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureClusterTopic } from '../../cluster/kafka/admin.ts'
import { kafkaClient, kafkaConfig } from '../../cluster/kafka/client.ts'
import { appendFlush } from '../../cluster/kafka/orders.ts'
import { kafkaPlanLog } from '../../cluster/kafka/plan-log.ts'
import { Connections } from '../../cluster/kafka/seam.ts'
import { Topology } from '../../cluster/kafka/topology.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { clusterTopic, coordinatorTransactionalId } from '../../cluster/protocol/names.ts'
import { type FlushOrder, flushKey } from '../../cluster/protocol/orders.ts'
import { type PlanRecord, PROTOCOL_VERSION } from '../../cluster/protocol/plan.ts'
import type { PlanLog } from '../../cluster/protocol/plan-log.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import { memoryPlanStore } from '../support/memory-plan-log.ts'
import { uniqueName, useServices } from '../support/services.ts'

const planOf = (pipeline: string, epoch: number, owners: readonly (string | null)[] = ['a']): PlanRecord => ({
  version: PROTOCOL_VERSION,
  pipeline,
  epoch,
  slots: owners.length,
  owners,
  releasing: {},
  leader: 'l',
})

/** As a new leader reads it. */
const latestOf = async (make: () => Promise<PlanLog>) => {
  const log = await make()
  await log.open()
  return log.latest()
}

/** `make` gives another writer of one log. */
const conformance = (make: () => Promise<PlanLog>) => {
  test('the newest plan of each pipeline is what was last appended', async () => {
    const log = await make()
    expect(await log.open()).toBe('ok')
    for (const epoch of [1, 2]) expect(await log.append(planOf('one', epoch))).toBe('ok')
    expect(await log.append(planOf('two', 9, [null, 'b']))).toBe('ok')
    const latest = await latestOf(make)
    expect(latest.get('one')?.epoch).toBe(2)
    expect(latest.get('two')).toEqual(planOf('two', 9, [null, 'b']))
  })

  test('a later writer fences the earlier one: its plan is refused and never seen', async () => {
    const [early, late] = [await make(), await make()]
    await early.open()
    expect(await early.append(planOf('fenced', 1))).toBe('ok')
    await late.open()
    expect(await early.append(planOf('fenced', 2, ['zombie']))).toBe('fenced')
    expect(await late.append(planOf('fenced', 2, ['b']))).toBe('ok')
    expect(await early.append(planOf('fenced', 3, ['zombie']))).toBe('fenced')
    expect((await latestOf(make)).get('fenced')).toEqual(planOf('fenced', 2, ['b']))
  })

  test('a follower hears the newest plan, then every later one, and nothing after its end', async () => {
    const log = await make()
    await log.open()
    await log.append(planOf('followed', 1))
    const heard: number[] = []
    const waits = new Map<number, () => void>()
    const until = (epoch: number) =>
      new Promise<void>((resolve) => (heard.includes(epoch) ? resolve() : waits.set(epoch, resolve)))
    const stop = (await make()).follow((plan) => {
      if (plan.pipeline !== 'followed') return
      heard.push(plan.epoch)
      waits.get(plan.epoch)?.()
    })
    await until(1)
    await log.append(planOf('followed', 2))
    await until(2)
    stop()
    await log.append(planOf('followed', 3))
    await log.latest()
    expect(heard).toEqual([1, 2])
  })
}

describe('the plan log in memory', () => {
  const store = memoryPlanStore()
  conformance(async () => store.writer())
})

describe('the plan log in Kafka', () => {
  let settings: Settings
  const open: Connections[] = []
  const notices: string[] = []

  const make = async (): Promise<PlanLog> => {
    const connections = new Connections(kafkaConfig(settings, 'home'))
    await connections.connect()
    open.push(connections)
    const topology = new Topology(connections)
    const { topicPrefix, transactionTimeout, requestTimeout } = settings
    const transactionalId = coordinatorTransactionalId(topicPrefix)
    const writer = new TransactionWriter(topology, { transactionalId, transactionTimeout, requestTimeout })
    const topic = clusterTopic(topicPrefix)
    return kafkaPlanLog({ topology, topic, notice: (line) => notices.push(line) }, writer)
  }

  beforeAll(async () => {
    const { kafka } = await useServices()
    settings = readSettings({}, { kafkaBrokers: kafka, topicPrefix: `${uniqueName('plans')}.` })
    const admin = kafkaClient(settings, 'home').admin()
    await admin.connect()
    await ensureClusterTopic(admin, settings)
    await admin.disconnect()
  })
  afterAll(() => Promise.all(open.map((connections) => connections.close())))

  conformance(make)

  test('an order is heard by whoever follows, also later; what is no order is told and skipped', async () => {
    const kafka = kafkaClient(settings, 'home')
    const topic = clusterTopic(settings.topicPrefix)
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({
      topic,
      messages: [{ key: flushKey('counts'), value: '{"version":1,"pipeline":"other"}' }],
    })
    await producer.disconnect()
    const log = await make()
    notices.length = 0
    const heard: FlushOrder[] = []
    const first = Promise.withResolvers<void>()
    const hear = (order: FlushOrder) => {
      heard.push(order)
      first.resolve()
    }
    const stop = log.follow(() => undefined, hear)
    const order = await appendFlush(kafka, topic, 'counts')
    await first.promise
    stop()
    expect(heard).toEqual([order])
    expect(notices).toEqual([expect.stringContaining('order/flush/counts')])
    const again = Promise.withResolvers<FlushOrder>()
    const end = (await make()).follow(() => undefined, again.resolve)
    expect(await again.promise).toEqual(order)
    end()
  })

  test('records that are malformed or of another version are told and skipped', async () => {
    const producer = kafkaClient(settings, 'home').producer()
    await producer.connect()
    const newer = JSON.stringify({ ...planOf('strange', 50), version: PROTOCOL_VERSION + 1 })
    const messages = [
      { key: 'plan/strange', value: 'not json' },
      { key: 'plan/strange', value: newer },
      { key: 'plan/strange', value: JSON.stringify({ ...planOf('strange', 51), owners: 'all' }) },
      { key: 'plan/strange', value: JSON.stringify(planOf('another', 52)) },
      { key: 'plan/strange', value: null },
      { key: 'orders/strange', value: '{}' },
    ]
    await producer.send({ topic: clusterTopic(settings.topicPrefix), messages })
    await producer.disconnect()
    const log = await make()
    await log.open()
    await log.append(planOf('strange', 3))
    notices.length = 0
    const latest = await latestOf(make)
    expect(latest.get('strange')?.epoch).toBe(3)
    expect(latest.has('another')).toBe(false)
    expect(notices).toHaveLength(4)
  })
})

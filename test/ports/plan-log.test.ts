import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { giveOrder } from '../../cli/orders.ts'
import { ensureClusterTopic } from '../../cluster/kafka/admin.ts'
import { kafkaClient, kafkaConfig } from '../../cluster/kafka/client.ts'
import { encodeBatch } from '../../cluster/kafka/codec/records.ts'
import { kafkaPlanLog } from '../../cluster/kafka/plan-log.ts'
import { Connections } from '../../cluster/kafka/seam.ts'
import { Topology } from '../../cluster/kafka/topology.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { clusterTopic, coordinatorTransactionalId } from '../../cluster/protocol/names.ts'
import { PROTOCOL, type Protocol } from '../../cluster/protocol/negotiation.ts'
import { type Order, orderKey } from '../../cluster/protocol/orders.ts'
import type { PlanRecord } from '../../cluster/protocol/plan.ts'
import type { PlanLog } from '../../cluster/protocol/plan-log.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import { memoryPlanStore } from '../support/memory-plan-log.ts'
import { uniqueName, useServices } from '../support/services.ts'

const planOf = (pipeline: string, epoch: number, owners: readonly (string | null)[] = ['a']): PlanRecord => ({
  version: PROTOCOL.newest,
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

  const make = async (protocol?: Protocol): Promise<PlanLog> => {
    const connections = new Connections(kafkaConfig(settings, 'home'))
    await connections.connect()
    open.push(connections)
    const topology = new Topology(connections)
    const { topicPrefix, transactionTimeout, requestTimeout } = settings
    const transactionalId = coordinatorTransactionalId(topicPrefix)
    const writer = new TransactionWriter(topology, { transactionalId, transactionTimeout, requestTimeout })
    const topic = clusterTopic(topicPrefix)
    const notice = (line: string) => notices.push(line)
    return kafkaPlanLog({ topology, topic, notice, ...(protocol && { protocol }) }, writer)
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

  conformance(() => make())

  /** As somebody with the right to the topic, in a transaction or not. */
  const writeRaw = async (
    how: 'plainly' | 'in a transaction',
    records: readonly { readonly key: string; readonly value: string | null }[],
  ) => {
    const topic = clusterTopic(settings.topicPrefix)
    if (how === 'plainly') {
      const producer = kafkaClient(settings, 'home').producer()
      await producer.connect()
      await producer.send({ topic, messages: [...records] })
      await producer.disconnect()
      return
    }
    const connections = new Connections(kafkaConfig(settings, 'home'))
    await connections.connect()
    open.push(connections)
    const { transactionTimeout, requestTimeout } = settings
    const options = { transactionalId: uniqueName('stranger'), transactionTimeout, requestTimeout }
    const writer = new TransactionWriter(new Topology(connections), options)
    await writer.fence()
    const batch = encodeBatch(records.map((record) => ({ ...record, timestamp: Date.now() })))
    if (batch === undefined) throw new Error('no records')
    const part = { topic, partition: 0, bytes: batch.bytes, records: batch.count }
    expect((await writer.transact([part])).result).toBe('committed')
  }

  /** Orders as they are heard, up to the last one. */
  const heardUntil = async (last: Order): Promise<readonly Order[]> => {
    const heard: Order[] = []
    const all = Promise.withResolvers<void>()
    const stop = (await make()).follow(
      () => undefined,
      (order) => {
        heard.push(order)
        if (order.id === last.id) all.resolve()
      },
    )
    await all.promise
    stop()
    return heard
  }

  test('orders are heard in the order they were given, each with the next epoch', async () => {
    const first = await giveOrder(settings, 'counts', { kind: 'flush' })
    const second = await giveOrder(settings, 'other', { kind: 'pause', partition: 3, on: true })
    expect(second.epoch).toBe(first.epoch + 1)
    const heard = await heardUntil(second)
    expect(heard).toContainEqual(first)
    expect(heard.at(-1)).toEqual(second)
  })

  test('an order that is forged, malformed or given before is told and skipped', async () => {
    const given = await giveOrder(settings, 'p', { kind: 'pin', slot: 1, worker: 'w', on: true })
    const taken = await giveOrder(settings, 'p', { kind: 'pin', slot: 1, worker: 'w', on: false })
    const replayed = { key: orderKey(given), value: JSON.stringify(given) }
    const forged = { ...given, epoch: taken.epoch + 100, id: 'forged' }
    const key = orderKey(given)
    await writeRaw('plainly', [{ key, value: JSON.stringify(forged) }])
    const strange = [
      { ...forged, version: PROTOCOL.newest + 1 },
      { ...forged, act: { kind: 'pin', slot: -1, worker: 'w', on: true } },
      { ...forged, act: { kind: 'pin', slot: 2, worker: 'w', on: true } },
      { ...forged, act: { kind: 'shutdown' } },
    ]
    const texts = ['not json', ...strange.map((one) => JSON.stringify(one))]
    await writeRaw('in a transaction', [replayed, ...texts.map((value) => ({ key, value }))])
    notices.length = 0
    const last = await giveOrder(settings, 'p', { kind: 'drain', worker: 'w', on: true })
    expect(last.epoch).toBe(taken.epoch + 1)
    expect((await heardUntil(last)).filter(({ pipeline }) => pipeline === 'p')).toEqual([given, taken, last])
    const why = (text: string) => notices.filter((line) => line.includes(text))
    expect(why('was not written in a transaction')).toHaveLength(1)
    expect(why(`has epoch ${given.epoch}, and ${taken.epoch} was given before`)).toHaveLength(1)
    expect(why('is no order of a version')).toHaveLength(texts.length)
  })

  test('of two that order at one moment one may be refused, and no epoch is given twice', async () => {
    const several = Array.from({ length: 6 }, (_, partition) =>
      giveOrder(settings, 'many', { kind: 'pause', partition, on: true }),
    )
    const settled = await Promise.allSettled(several)
    const given = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const refused = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
    expect(new Set(refused)).toEqual(new Set(refused.length > 0 ? ['fenced'] : []))
    const last = await giveOrder(settings, 'many', { kind: 'flush' })
    const heard = (await heardUntil(last)).filter(({ pipeline }) => pipeline === 'many')
    expect(new Set(heard.map(({ epoch }) => epoch)).size).toBe(given.length + 1)
    expect(heard).toEqual([...given.toSorted((a, b) => a.epoch - b.epoch), last])
  })

  test('plans that are malformed or not written in a transaction are told and skipped', async () => {
    const key = 'plan/strange'
    await writeRaw('plainly', [{ key, value: JSON.stringify(planOf('strange', 99)) }])
    await writeRaw('in a transaction', [
      { key, value: 'not json' },
      { key, value: JSON.stringify({ ...planOf('strange', 50), version: 'newer' }) },
      { key, value: JSON.stringify({ ...planOf('strange', 51), owners: 'all' }) },
      { key, value: JSON.stringify(planOf('another', 52)) },
      { key, value: null },
      { key: 'orders/strange', value: '{}' },
    ])
    const log = await make()
    await log.open()
    await log.append(planOf('strange', 3))
    notices.length = 0
    const latest = await latestOf(make)
    expect(latest.get('strange')?.epoch).toBe(3)
    expect(latest.has('another')).toBe(false)
    expect(notices).toHaveLength(5)
  })

  test('of a plan of another version the epoch counts: nothing older is heard, and one line says what to do', async () => {
    const version = PROTOCOL.newest + 1
    const newer = await make({ oldest: PROTOCOL.oldest, newest: version })
    await newer.open()
    await newer.append(planOf('rolled', 7))
    await newer.append({ ...planOf('rolled', 8), version })
    notices.length = 0
    expect((await latestOf(make)).get('rolled')).toEqual({ version, pipeline: 'rolled', epoch: 8 })
    expect(notices.filter((line) => line.includes('plan/rolled'))).toEqual([
      expect.stringContaining(
        `(plan/rolled) is of protocol version ${version}, this one reads up to ${PROTOCOL.newest}: upgrade it`,
      ),
    ])
    const log = await make()
    await log.open()
    await log.append(planOf('rolled', 6))
    await log.append(planOf('rolled', 9, ['b']))
    const heard: number[] = []
    const last = Promise.withResolvers<void>()
    const stop = log.follow(({ pipeline, epoch }) => {
      if (pipeline !== 'rolled') return
      heard.push(epoch)
      if (epoch === 9) last.resolve()
    })
    await last.promise
    stop()
    expect(heard).toEqual([7, 8, 9])
    expect((await latestOf(make)).get('rolled')).toEqual(planOf('rolled', 9, ['b']))
  })
})

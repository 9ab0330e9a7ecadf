/** The audit on real Kafka and Redis, over topics made by hand: what it says of an honest run, and what it cannot say. */

import { CompressionTypes } from 'kafkajs'
import { beforeAll, describe, expect, test } from 'vitest'
import { stateKey } from '../../cluster/protocol/state.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { type SharedServices, uniqueName, useServices } from '../support/services.ts'
import { Made } from './made.ts'
import { pipeline } from './pipeline.ts'
import { answer, honest, openTransaction, story } from './story.ts'

let services: SharedServices
beforeAll(async () => {
  services = await useServices()
})

describe('a pipeline on which everything went right', () => {
  test('is ok, every count told', async () => {
    await using made = await Made.open(services, pipeline, { partitions: 2 })
    for (const partition of [0, 1]) await made.work(partition, await made.ask(partition, story.length), story)
    const report = await made.audit()
    expect(report.notProvable).toEqual([])
    expect(report).toMatchObject({
      ...{ ok: true, produced: 12, outputs: 8, dead: 2, dropped: 2, parked: 0, late: 2 },
      ...{ lost: 0, double: 0, foreign: 0, mismatch: 0, order: 0 },
      range: { topic: made.names.input, partitions: 2, offsets: 12 },
    })
    expect(report.partitions.map(({ partition, from, to }) => [partition, from, to])).toEqual([
      [0, 0, 6],
      [1, 0, 6],
    ])
  })

  test('is ok across the holes of transactions, with nothing owed to aborted records', async () => {
    await using made = await Made.open(services, pipeline)
    const producer = made.kafka.producer({
      transactionalId: uniqueName('asker'),
      idempotent: true,
      maxInFlightRequests: 1,
    })
    await producer.connect()
    for (const end of ['commit', 'abort', 'commit'] as const) {
      const transaction = await producer.transaction()
      await transaction.send({ topic: made.names.input, messages: [{ value: 'asked' }, { value: 'asked' }] })
      await transaction[end]()
    }
    await producer.disconnect()
    const offsets = [0, 1, 6, 7]
    for (const offset of offsets) await made.letter(0, offset)
    await made.position(0, { next: 9, counters: { done: 0, dead: 4, dropped: 0, late: 0, parked: 0 } })
    expect(await made.audit()).toMatchObject({ ok: true, produced: 4, dead: 4, range: { offsets: 9 } })
    await made.letter(0, 3)
    expect((await made.audit()).offending.foreign).toEqual([{ partition: 0, offsets: [3] }])
  })

  test('counts a parked record, and its fate once it has another', async () => {
    await using made = await Made.open(services, pipeline)
    const first = await made.ask(0, 1)
    await made.state(0, stateKey.retry(0, first), { attempts: 1 })
    const parked = { done: 0, dead: 0, dropped: 0, late: 0, parked: 1 }
    await made.position(0, { next: 1, counters: parked })
    expect(await made.audit()).toMatchObject({ ok: true, produced: 1, parked: 1 })
    await made.letter(0, first)
    expect((await made.audit()).offending.double).toEqual([
      { partition: 0, offsets: [{ offset: 0, fates: ['dead', 'parked'] }] },
    ])
    await made.state(0, stateKey.retry(0, first), null)
    await made.position(0, { next: 1, counters: { ...parked, parked: 0, dead: 1 } })
    expect(await made.audit()).toMatchObject({ ok: true, parked: 0, dead: 1 })
  })

  test('counts what was settled while it looked as it stood at the position', async () => {
    await using made = await Made.open(services, pipeline)
    const first = await made.ask(0, 1)
    const counters = { done: 0, dead: 0, dropped: 0, late: 0, parked: 1 }
    await made.state(0, stateKey.retry(0, first), { attempts: 1 })
    await made.position(0, { next: 1, counters })
    const open = await openTransaction(made, made.names.deadLetters)
    const waited = Promise.withResolvers<string>()
    const auditing = made.audit({ waiting: waited.resolve })
    expect(await waited.promise).toContain(made.names.deadLetters)
    await made.letter(0, first)
    await made.state(0, stateKey.retry(0, first), null)
    await made.position(0, { next: 1, counters: { ...counters, parked: 0, dead: 1 } })
    await open.end()
    expect(await auditing).toMatchObject({ ok: true, parked: 1, dead: 0 })
    expect(await made.audit()).toMatchObject({ ok: true, parked: 0, dead: 1 })
  })

  test('owes a fate to each record of a batch that cannot be read', async () => {
    await using made = await Made.open(services, pipeline)
    const huge = Buffer.alloc(65 * 1024 ** 2)
    await made.send(made.names.input, 0, [{ value: 'asked' }])
    await made.send(made.names.input, 0, [{ value: 'asked' }, { value: huge }], CompressionTypes.GZIP)
    for (const offset of [0, 1]) await made.letter(0, offset)
    const counters = { done: 0, dead: 2, dropped: 0, late: 0, parked: 0 }
    await made.position(0, { next: 3, counters })
    expect((await made.audit()).offending.lost).toEqual([{ partition: 0, offsets: [2] }])
    await made.letter(0, 2)
    await made.position(0, { next: 3, counters: { ...counters, dead: 3 } })
    expect(await made.audit()).toMatchObject({ ok: true, produced: 3, dead: 3 })
  })

  test('begins where the input still begins, and says that counters cannot be compared', async () => {
    await using made = await honest(services)
    await made.admin.deleteTopicRecords({
      topic: made.names.input,
      partitions: [{ partition: 0, offset: '3' }],
    })
    const report = await made.audit()
    expect(report).toMatchObject({ ok: true, produced: 3, range: { offsets: 3 } })
    expect(report.notProvable).toEqual([expect.stringContaining('counters of partition 0')])
  })

  test('begins where outputs still tell, and compares Redis with the state instead of the recount', async () => {
    await using made = await honest(services)
    const topic = made.names.output ?? ''
    await made.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
    const report = await made.audit()
    expect(report).toMatchObject({ ok: true, partitions: [{ from: 4, to: 6 }] })
    expect(report.notProvable).toContainEqual(expect.stringContaining('the oldest outputs are gone'))
    const part = `${keysOf(made.settings.clusterId).partPrefix('audited', 0)}total/0`
    await made.redis.hset(part, 'answers', '999 17')
    expect((await made.audit()).offending.mismatch).toMatchObject([
      { where: 'redis', expected: 4, found: 17 },
    ])
  })

  test('says that a compacted output topic proves no recount, and misses no output that may be compacted', async () => {
    await using made = await Made.open(services, pipeline, {
      topics: { answered: { 'cleanup.policy': 'compact' } },
    })
    await made.work(0, await made.ask(0, 1), [answer(0)])
    const recount = `the recount: ${made.names.output} is compacted`
    expect(await made.audit()).toMatchObject({ ok: true, notProvable: [recount] })
    await made.ask(0, 1)
    await made.position(0, { next: 2, counters: { done: 2, dead: 0, dropped: 0, late: 0, parked: 0 } })
    const counters = expect.stringContaining('counters of partition 0')
    expect(await made.audit()).toMatchObject({ ok: true, outputs: 1, notProvable: [counters, recount] })
    await made.position(0, { next: 2, counters: { done: 1, dead: 0, dropped: 0, late: 0, parked: 0 } })
    expect(await made.audit()).toMatchObject({ ok: false, lost: 1 })
  })

  test('leaves Redis out where it is told to, and says so', async () => {
    await using made = await honest(services)
    await made.redis.del(keysOf(made.settings.clusterId).windows('audited', 0))
    const report = await made.audit({ redis: undefined })
    expect(report).toMatchObject({ ok: true, notProvable: ['Redis: it was not asked'] })
  })
})

describe('what it cannot do it says', () => {
  test('the input was made again', async () => {
    await using made = await honest(services)
    await made.state(0, stateKey.meta, {
      ...{ format: 1, slots: 1, inputClusterId: made.input.clusterId },
      ...{ inputTopicId: 'another', outputMapping: 'same', definitions: {} },
    })
    await expect(made.audit()).rejects.toMatchObject({ code: 'topic-recreated' })
  })

  test('the state is of a newer format', async () => {
    await using made = await honest(services)
    await made.state(0, stateKey.meta, { format: 2, slots: 1 })
    await expect(made.audit()).rejects.toMatchObject({ code: 'state-format' })
  })

  test('Redis does not answer', async () => {
    await using made = await honest(services)
    made.redis.disconnect()
    await expect(made.audit()).rejects.toMatchObject({ code: 'redis-unreachable' })
  })

  test('it was interrupted', async () => {
    await using made = await honest(services)
    await expect(made.audit({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'timeout' })
  })

  test('a transaction stays open in front of what it must see', async () => {
    await using made = await honest(services)
    const open = await openTransaction(made, made.names.deadLetters)
    await expect(made.audit({ openTransactions: 200 })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining(`${made.names.deadLetters}/0@1`),
    })
    const auditing = made.audit()
    await open.end()
    expect(await auditing).toMatchObject({ ok: true })
  })
})

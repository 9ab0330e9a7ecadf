import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeBatch } from '../../cluster/kafka/codec/records.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import type { ParkedHead } from '../../cluster/protocol/retries.ts'
import { done, failed, message, type Said } from './retries/support.ts'
import { headerOf } from './support/batches.ts'
import type { Script } from './support/memory-ports.ts'
import { names } from './support/results.ts'
import { committedTo, happened, ShardWorld } from './support/shard-world.ts'

let world: ShardWorld
beforeEach(() => {
  world = new ShardWorld(2)
})
afterEach(() => world.stop())

const OK = { n: 1 }
const LATER = { do: 'retry' }

type Started = ReturnType<ShardWorld['start']>

const headOf = (partition: number, offset: number): ParkedHead => {
  const found = world.state.get(`retry/${partition}/${offset}`)
  if (found === undefined || found === null) throw new Error(`${partition}/${offset} is not parked`)
  return found as ParkedHead
}
const counters = (partition: number) =>
  (world.state.get(`position/${partition}`) as { counters: object } | undefined)?.counters
const retriedAt = () =>
  Math.max(...[0, 1].map((p) => (world.state.get(`position/${p}`) as { retried: number }).retried))

/** What a run sends. */
const send = (partition: number, offset: number, said: Said, value?: unknown): void => {
  const { key, value: bytes } = message(partition, offset, said, value)
  const batch = encodeBatch([{ timestamp: 0, key, value: bytes }], { transactional: false })
  if (batch === undefined) throw new Error('a batch needs a record')
  world.kafka.append(names.retried, 0, batch.bytes)
}
const returned = async ({ events }: Started, results: number): Promise<void> => {
  while (retriedAt() < results) await events.next('committed')
}
const outputs = () =>
  world.kafka.records('out').map((one) => [headerOf(one, HEADER.origin), headerOf(one, HEADER.attempts)])

describe('a record that may succeed later', () => {
  test('is parked whole in the transaction of its neighbours, which do not wait for it', async () => {
    world.produce(0, OK, LATER, OK)
    const started = world.start()
    await committedTo(world, started, 0, 3)
    expect(outputs()).toEqual([
      ['in/0/0', undefined],
      ['in/0/2', undefined],
    ])
    expect(headOf(0, 1)).toMatchObject({ attempts: 1, code: 'lookup-down', preview: '{"do":"retry"}' })
    expect(counters(0)).toMatchObject({ done: 2, dead: 0, parked: 1 })
    const [parked] = started.feed.view.parked.values()
    const [record] = world.kafka.records(names.state).filter(({ key }) => key?.toString() === 'retry/0/1')
    expect(started.feed.view.offsets.get('retry/0/1')).toBe(record?.offset)
    expect(parked).toMatchObject({ park: headOf(0, 1).park, bytes: record?.value?.length })
    world.audit()
  })

  test('its result becomes its fate once, with the number of its runs, whoever sends it again', async () => {
    world.produce(0, LATER, OK)
    const started = world.start()
    await committedTo(world, started, 0, 2)
    const { park } = headOf(0, 0)
    send(0, 0, done(park, 3))
    send(0, 0, done(park, 3))
    await returned(started, 2)
    send(0, 0, done(park, 4))
    send(0, 0, { park, attempt: 4, outcome: 'dead', code: 'x', message: '' })
    await returned(started, 4)
    expect(outputs()).toEqual([
      ['in/0/1', undefined],
      ['in/0/0', '3'],
    ])
    expect(world.audit()).toEqual({ outputs: 2, letters: 0, drops: 0 })
    expect(counters(0)).toMatchObject({ done: 2, parked: 0 })
    expect(world.state.get('retry/0/0')).toBeNull()
  })

  test('results of another parking, of nothing parked and of no sense pass unheard', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    send(0, 0, done('another/0/0'))
    send(0, 9, done('c/0/9'))
    send(1, 0, done(headOf(0, 0).park))
    const nonsense = encodeBatch([{ timestamp: 0, key: 'k', value: 'v' }], { transactional: false })
    world.kafka.append(names.retried, 0, nonsense?.bytes ?? new Uint8Array())
    await returned(started, 4)
    expect(outputs()).toEqual([])
    expect(counters(0)).toMatchObject({ parked: 1 })
    world.audit()
  })

  test('a result that lost its record settles nothing', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    const { park } = headOf(0, 0)
    const { key, value } = message(0, 0, done(park))
    const cut = encodeBatch([{ timestamp: 0, key, value: value.subarray(0, -3) }], { transactional: false })
    world.kafka.append(names.retried, 0, cut?.bytes ?? new Uint8Array())
    await returned(started, 1)
    expect(outputs()).toEqual([])
    send(0, 0, done(park))
    await returned(started, 2)
    expect(world.audit()).toMatchObject({ outputs: 1 })
  })

  test('dead and dropped after all: letter with its runs and its bytes, drop with its code', async () => {
    world.produce(0, { do: 'retry', secret: 7 }, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 2)
    const value = { do: 'retry', secret: 7 }
    send(
      0,
      0,
      { park: headOf(0, 0).park, attempt: 4, outcome: 'dead', code: 'lookup-down', message: 'm' },
      value,
    )
    send(0, 1, { park: headOf(0, 1).park, attempt: 2, outcome: 'drop', code: 'unwanted' })
    await returned(started, 2)
    expect(world.audit()).toEqual({ outputs: 0, letters: 1, drops: 1 })
    const [letter] = world.kafka.records('dlq')
    if (letter === undefined) throw new Error('no letter')
    expect([headerOf(letter, HEADER.errorCode), headerOf(letter, HEADER.attempts)]).toEqual([
      'lookup-down',
      '4',
    ])
    expect(letter.value?.toString()).toBe(JSON.stringify(value))
  })

  test('a run that failed again is counted, and goes with the record when it is settled', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    const { park } = headOf(0, 0)
    send(0, 0, failed(park, 2))
    await returned(started, 1)
    expect(world.state.get('tried/0/0')).toMatchObject({ park, attempts: 2, due: 9000 })
    await started.shard.release(2000)
    const next = world.start({ epoch: 2 })
    await happened(next, 'claimed')
    expect([...next.feed.view.parked.values()]).toMatchObject([{ attempts: 2, due: 9000 }])
    send(0, 0, done(park, 3))
    await returned(next, 2)
    expect([world.state.get('tried/0/0'), world.state.get('retry/0/0')]).toEqual([null, null])
    expect(world.audit()).toMatchObject({ outputs: 1 })
  })

  test('its aggregates count when it is done; a window that has closed meanwhile leaves it out and says so', async () => {
    world.produce(0, { do: 'retry', at: 5 })
    const started = world.start()
    await committedTo(world, started, 0, 1)
    world.produce(1, { at: 1000 })
    await committedTo(world, started, 1, 1)
    send(0, 0, done(headOf(0, 0).park), { at: 5 })
    await returned(started, 1)
    const [late] = world.kafka.records('out').filter((one) => headerOf(one, HEADER.origin) === 'in/0/0')
    expect(late && headerOf(late, HEADER.late)).toBe('short')
    expect(counters(0)).toMatchObject({ done: 1, late: 1 })
    world.audit()
  })
})

describe('what goes wrong around a result', () => {
  const unclear: Script = async () => ({ result: 'unclear', reason: 'test' })

  test('its transaction is aborted: it is read and judged again', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    const { park } = headOf(0, 0)
    started.writer.scripts.push(unclear)
    send(0, 0, done(park))
    await happened(started, 'reopened')
    await returned(started, 1)
    expect(world.audit()).toMatchObject({ outputs: 1 })
  })

  test('it was committed although nobody heard of it: the same result counts no more', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    const { park } = headOf(0, 0)
    started.writer.scripts.push(async (_parts, commit) => {
      commit()
      return { result: 'unclear', reason: 'the reply was lost' }
    })
    send(0, 0, done(park))
    send(0, 0, done(park))
    await happened(started, 'claimed')
    await returned(started, 2)
    expect(world.audit()).toMatchObject({ outputs: 1 })
  })

  test('the next owner goes on behind the results that count already', async () => {
    world.produce(0, LATER, LATER)
    const first = world.start()
    await committedTo(world, first, 0, 2)
    const parks = [headOf(0, 0).park, headOf(0, 1).park] as const
    send(0, 0, done(parks[0]))
    await returned(first, 1)
    await first.shard.release(2000)
    send(0, 1, done(parks[1]))
    const second = world.start({ epoch: 2 })
    await returned(second, 2)
    expect(second.feed.begun).toBe(1)
    expect(world.audit()).toMatchObject({ outputs: 2 })
  })

  test('a release ends the results that have begun', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    world.pool.hold()
    send(0, 0, done(headOf(0, 0).park))
    await world.pool.arrived
    const released = started.shard.release(5000)
    await setImmediate()
    world.pool.go()
    await released
    expect(world.audit()).toMatchObject({ outputs: 1 })
  })

  test('results below the log start are gone: reading begins there, and what is parked is compared again', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    const { park } = headOf(0, 0)
    const begun = started.feed.begun
    send(0, 0, done(park))
    send(0, 0, done(park))
    world.kafka.deleteBefore(names.retried, 0, 1)
    started.returns.fail(0, { fault: 'position-gap', detail: 'test' })
    await returned(started, 2)
    expect(started.feed.begun).toBe(begun + 1)
    expect(world.audit()).toMatchObject({ outputs: 1 })
  })

  test('a retried topic that is gone halts the shard by name', async () => {
    world.produce(0, LATER)
    const started = world.start()
    await committedTo(world, started, 0, 1)
    expect(started.feed.view.parked.size).toBe(1)
    started.returns.fail(0, { fault: 'topic-missing', detail: 'retried/0 does not exist any more' })
    expect(await happened(started, 'halted')).toMatchObject({ code: 'topic-missing' })
    expect(started.feed.view.parked.size).toBe(0)
  })
})

describe('too many parked', () => {
  test('the input waits and says why, results are taken all the same, and then it goes on', async () => {
    const started = world.start({ settings: { commitInterval: 0, parkedRecords: 2 } })
    await happened(started, 'claimed')
    world.produce(0, LATER, LATER)
    await committedTo(world, started, 0, 2)
    world.produce(0, OK)
    expect(started.shard.report()).toMatchObject({
      state: 'running',
      reason: expect.stringMatching(/^2 parked records of \d+ bytes reach the cap/),
    })
    send(0, 0, failed(headOf(0, 0).park))
    await returned(started, 1)
    expect(world.position(0)).toBe(2)
    // Not even read: its end is unknown.
    expect(started.shard.report().partitions[0]?.lag).toBe(0)
    send(0, 0, done(headOf(0, 0).park, 3))
    await committedTo(world, started, 0, 3)
    expect(started.shard.report()).toMatchObject({ state: 'running', reason: '' })
    expect(world.audit()).toMatchObject({ outputs: 2 })
  })

  test('what was read before the cap was reached waits as well', async () => {
    const settings = { commitInterval: 0, parkedRecords: 2, batchesAhead: 1 }
    const started = world.start({ settings })
    await happened(started, 'claimed')
    world.pool.hold()
    world.produce(0, LATER, LATER)
    await world.pool.arrived
    world.produce(0, OK)
    while ((started.shard.report().partitions[0]?.lag ?? 0) < 3) await setImmediate()
    world.pool.go()
    await committedTo(world, started, 0, 2)
    send(0, 0, failed(headOf(0, 0).park))
    await returned(started, 1)
    expect(world.position(0)).toBe(2)
    send(0, 0, done(headOf(0, 0).park, 3))
    await committedTo(world, started, 0, 3)
    world.audit()
  })

  test('their bytes count as well', async () => {
    const started = world.start({ settings: { commitInterval: 0, parkedBytes: 1 } })
    await happened(started, 'claimed')
    world.produce(0, LATER)
    await committedTo(world, started, 0, 1)
    expect(started.shard.report().reason).toContain('reach the cap')
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Opened, TransactResult } from '../../cluster/kafka/ports.ts'
import { committedTo, happened, ShardWorld } from './support/shard-world.ts'

let world: ShardWorld
const rejections: unknown[] = []
const note = (error: unknown) => rejections.push(error)
beforeEach(() => {
  world = new ShardWorld(2)
  rejections.length = 0
  process.on('unhandledRejection', note)
})
afterEach(async () => {
  await world.stop()
  process.off('unhandledRejection', note)
  expect(rejections).toEqual([])
})

const OK = { n: 1 }
const GRACE = 5000
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
const running = async (settings = {}) => {
  const started = world.start({ settings: { commitInterval: 0, ...settings } })
  await happened(started, 'claimed')
  return started
}
type Started = Awaited<ReturnType<typeof running>>

/** Released, and from then on silent: nothing is under way, nothing is written whatever comes. */
const expectSilence = async ({ writer, reader, shard }: Started) => {
  expect([writer.underWay, writer.closed, reader.reading]).toEqual([0, true, []])
  const before = writer.committed.length
  world.pool.go()
  world.produce(0, OK)
  shard.extend([1])
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(writer.committed.length).toBe(before)
  expect(writer.broken).toEqual([])
}

describe('a release', () => {
  test('drains what the pool has begun, commits it, publishes it, and leaves nothing behind', async () => {
    const before = timers()
    const started = await running()
    world.pool.hold()
    world.produce(0, OK, { do: 'dead' })
    await world.pool.arrived
    const released = started.shard.release(GRACE)
    world.pool.go()
    await released
    expect(world.position(0)).toBe(2)
    expect(world.audit()).toEqual({ outputs: 1, letters: 1, drops: 0 })
    const last = world.published.at(-1)
    expect(last?.windows.some(({ aggregate, value }) => aggregate === 'all' && value === 1)).toBe(true)
    await expectSilence(started)
    expect(timers()).toBeLessThanOrEqual(before)
  })

  test('leaves what has not begun to the next owner', async () => {
    const started = await running({ batchesAhead: 1 })
    world.pool.hold()
    world.produce(0, OK)
    world.produce(0, OK, OK)
    await world.pool.arrived
    const released = started.shard.release(GRACE)
    world.pool.go()
    await released
    expect(world.position(0)).toBe(1)
    const next = world.start({ epoch: 2 })
    await committedTo(world, next, 0, 3)
    expect(world.audit().outputs).toBe(3)
  })

  test('of an idle shard is immediate', async () => {
    const started = await running()
    const released = happened(started, 'released')
    await started.shard.release(GRACE)
    expect((await released).ms).toBeLessThan(1000)
    await expectSilence(started)
  })

  test('waits for the transaction that is under way', async () => {
    const started = await running()
    const began = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    started.writer.scripts.push(async (_parts, commit) => {
      began.resolve()
      await end.promise
      return commit()
    })
    world.produce(0, OK)
    await began.promise
    const released = started.shard.release(GRACE)
    end.resolve()
    await released
    expect(world.position(0)).toBe(1)
    await expectSilence(started)
  })

  test('past its deadline it still outlasts the transaction under way: none commits after it', async () => {
    const started = await running()
    const began = Promise.withResolvers<void>()
    started.writer.scripts.push(async (_parts, commit) => {
      began.resolve()
      await new Promise((resolve) => setTimeout(resolve, 150))
      return commit()
    })
    world.produce(0, OK)
    await began.promise
    await started.shard.release(10)
    await expectSilence(started)
  })

  test('gives up at its deadline what the pool does not end', async () => {
    const started = await running()
    world.pool.hold()
    world.produce(0, OK)
    await world.pool.arrived
    await started.shard.release(30)
    await expectSilence(started)
    expect(world.position(0)).toBe(0)
  })

  test('while it claims: the fence that is under way ends, no claim is written', async () => {
    const fencing = Promise.withResolvers<void>()
    const fenced = Promise.withResolvers<Opened>()
    const started = world.start()
    const { writer, shard } = started
    writer.opens.push(() => {
      fencing.resolve()
      return fenced.promise
    })
    // The first message of the actor runs in the next microtask: the script above is in place by then.
    await fencing.promise
    const released = shard.release(20)
    setTimeout(() => fenced.resolve({ result: 'open' }), 60)
    await released
    expect(writer.committed).toEqual([])
    await expectSilence(started)
  })

  test('before it has begun to claim: nobody is fenced', async () => {
    const started = world.start()
    await started.shard.release(GRACE)
    expect(world.epochs.current).toBe(0)
    await expectSilence(started)
  })

  test.each<[string, TransactResult]>([
    ['unclear', { result: 'unclear', reason: 'test' }],
    ['fenced', { result: 'fenced', code: 90 }],
    ['halted', { result: 'halted', code: 29, detail: 'test' }],
  ])('while the last transaction ends %s: it is gone, and claims nothing anew', async (_name, result) => {
    const started = await running()
    const before = started.writer.committed.length
    const began = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    started.writer.scripts.push(async () => {
      began.resolve()
      await end.promise
      return result
    })
    world.produce(0, OK)
    await began.promise
    const released = started.shard.release(GRACE)
    end.resolve()
    await released
    expect(started.writer.committed.length).toBe(before)
    await expectSilence(started)
  })

  test('while it reopens and Kafka stays away: it ends by its own deadline, without a storm of tries', async () => {
    const started = await running()
    let tries = 0
    const away = async (): Promise<Opened> => {
      tries++
      started.writer.opens.push(away)
      return { result: 'unclear', reason: 'away' }
    }
    started.writer.opens.push(away)
    started.writer.scripts.push(async () => ({ result: 'unclear', reason: 'away' }))
    world.produce(0, OK)
    await happened(started, 'reopened')
    const from = performance.now()
    await started.shard.release(GRACE)
    expect(performance.now() - from).toBeLessThan(GRACE / 2)
    expect(tries).toBeLessThan(4)
    await expectSilence(started)
  })

  test('while a refused batch is run again: its letter is committed', async () => {
    const started = await running()
    const began = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    started.writer.scripts.push(async () => {
      began.resolve()
      await end.promise
      return { result: 'refused', part: 0, code: 32, detail: '', recordIndexes: [0] }
    })
    world.produce(0, OK, OK)
    await began.promise
    const released = started.shard.release(GRACE)
    end.resolve()
    await released
    expect(world.audit()).toEqual({ outputs: 1, letters: 1, drops: 0 })
    expect(world.position(0)).toBe(2)
  })

  test('twice, or of a shard that has halted or failed, ends as well', async () => {
    const started = await running()
    await Promise.all([started.shard.release(GRACE), started.shard.release(GRACE)])
    await started.shard.release(GRACE)
    const halted = world.start({ epoch: 2 })
    await happened(halted, 'claimed')
    halted.reader.fail(0, { fault: 'position-gap', detail: '' })
    await halted.shard.release(GRACE)
    world.topology.failNext = new Error('a fault of ours')
    const failed = world.start({ epoch: 3 })
    expect(await failed.shard.stopped).toMatchObject({ why: 'failed' })
    await failed.shard.release(GRACE)
  })
})

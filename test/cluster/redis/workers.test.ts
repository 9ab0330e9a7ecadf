import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sleep, systemClock } from '../../../cluster/actor/clock.ts'
import { closeRedis, connectRedis } from '../../../cluster/redis/client.ts'
import { keysOf } from '../../../cluster/redis/keys.ts'
import { redisWorkers, type Workers } from '../../../cluster/redis/workers.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { memoryWorkers } from '../../support/memory-workers.ts'
import { type OwnRedis, startRedis } from '../../support/redis.ts'
import { reportOf } from '../../support/reports.ts'
import { virtualClock } from '../../support/virtual-clock.ts'

interface Rig {
  readonly workers: Workers
  pass(ms: number): Promise<void>
  wipe(): Promise<void>
}

const conformance = (rig: () => Rig) => {
  test('who renews lives, with the newest report; who stops renewing is gone when the lease has ended', async () => {
    const { workers, pass } = rig()
    await workers.renew(reportOf('b', [1]), 60_000)
    await workers.renew(reportOf('a', [0]), 300)
    await workers.renew(reportOf('b', [1, 2]), 60_000)
    expect((await workers.read()).live).toEqual([reportOf('a', [0]), reportOf('b', [1, 2])])
    await pass(400)
    const roster = await workers.read()
    expect(roster.live.map(({ worker }) => worker)).toEqual(['b'])
    expect(roster.left.size, 'gone is not left').toBe(0)
  })

  test('who leaves is told apart from who is gone, until it comes back', async () => {
    const { workers } = rig()
    await workers.renew(reportOf('leaver'), 60_000)
    await workers.leave('leaver')
    const roster = await workers.read()
    expect(roster.live.some(({ worker }) => worker === 'leaver')).toBe(false)
    expect(roster.left.has('leaver')).toBe(true)
    await workers.renew(reportOf('leaver'), 60_000)
    expect((await workers.read()).left.has('leaver')).toBe(false)
  })

  test('who runs alone is told apart: no coordinator assigns anything to it', async () => {
    const { workers } = rig()
    await workers.renew(reportOf('alone', [0], { solo: true }), 60_000)
    const { live, solo } = await workers.read()
    expect(live.some(({ worker }) => worker === 'alone')).toBe(false)
    expect(solo).toEqual([reportOf('alone', [0], { solo: true })])
    await workers.leave('alone')
  })

  test('the generation stays the same, and is another one after the store was emptied', async () => {
    const { workers, wipe } = rig()
    const { generation } = await workers.read()
    await workers.renew(reportOf('a'), 60_000)
    expect((await workers.read()).generation).toBe(generation)
    await wipe()
    const roster = await workers.read()
    expect(roster.generation).not.toBe(generation)
    expect(roster.live).toEqual([])
  })
}

describe('the roster in memory', () => {
  const clock = virtualClock()
  const workers = memoryWorkers(clock)
  conformance(() => ({ workers, pass: (ms) => clock.advance(ms), wipe: async () => workers.wipe() }))
})

describe('the roster in Redis', () => {
  const keys = keysOf('roster')
  let server: OwnRedis
  let redis: Redis
  beforeAll(async () => {
    server = await startRedis()
    redis = await connectRedis(readSettings({}, { redisUrl: server.url }))
  })
  afterAll(async () => {
    closeRedis(redis)
    await server.stop()
  })
  conformance(() => ({
    workers: redisWorkers(redis, keys),
    pass: (ms) => sleep(systemClock, ms),
    wipe: async () => void (await redis.flushall()),
  }))

  test('reports that are malformed or of another protocol version are left out', async () => {
    const workers = redisWorkers(redis, keys)
    const strange: readonly [string, string][] = [
      ['s1', 'not json'],
      ['s2', JSON.stringify({ ...reportOf('s2'), version: 99 })],
      ['s3', JSON.stringify({ ...reportOf('s3'), owned: 'all' })],
      ['s4', 'null'],
    ]
    for (const [worker, text] of strange) {
      await redis.set(keys.worker(worker), text, 'PX', 60_000)
      await redis.sadd(keys.workers, worker)
    }
    await workers.renew(reportOf('sound'), 60_000)
    const live = (await workers.read()).live.map(({ worker }) => worker)
    expect(live.filter((worker) => worker.startsWith('s'))).toEqual(['sound'])
  })

  test('two clusters on one Redis see nothing of each other', async () => {
    const other = redisWorkers(redis, keysOf('another'))
    await other.renew(reportOf('stranger'), 60_000)
    const live = (await redisWorkers(redis, keys).read()).live
    expect(live.some(({ worker }) => worker === 'stranger')).toBe(false)
  })
})

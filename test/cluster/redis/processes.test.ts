import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { closeRedis, connectRedis } from '../../../cluster/redis/client.ts'
import { keysOf } from '../../../cluster/redis/keys.ts'
import { announceProcess, readProcesses } from '../../../cluster/redis/processes.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { until } from '../../support/cluster.ts'
import { type OwnRedis, startRedis } from '../../support/redis.ts'

let own: OwnRedis
let redis: Redis
const keys = keysOf('c')
beforeAll(async () => {
  own = await startRedis()
  redis = await connectRedis(readSettings({}, { redisUrl: own.url }))
})
afterAll(async () => {
  closeRedis(redis)
  await own.stop()
})

const WORKER = { role: 'worker', id: 'w', address: '10.0.0.1:9464', pipeline: 'p' } as const
const read = () => readProcesses(redis, keys)

test('a process is found while it says so, and not after it has left', async () => {
  const announced = announceProcess(redis, keys, WORKER, 60_000)
  await until('it is found', 10_000, async () => (await read()).length === 1)
  expect(await read()).toEqual([WORKER])
  await announced[Symbol.asyncDispose]()
  expect(await read()).toEqual([])
})

test('who dies without a word is forgotten; who lives goes on, also after Redis was flushed', async () => {
  await using _ = announceProcess(redis, keys, { ...WORKER, id: 'alive' }, 300)
  await redis.zadd(keys.processes, Date.now() + 200, JSON.stringify({ ...WORKER, id: 'dead' }))
  await redis.flushall()
  await redis.zadd(keys.processes, Date.now() + 200, JSON.stringify({ ...WORKER, id: 'dead' }))
  await until('only the living one is left', 10_000, async () => {
    const found = await read()
    return found.length === 1 && found[0]?.id === 'alive'
  })
})

test.each([
  ['no JSON', 'x'],
  ['an address that is none', JSON.stringify({ ...WORKER, address: '1.2.3.4:80/metrics?x=' })],
  ['another role', JSON.stringify({ ...WORKER, role: 'admin' })],
])('%s is left alone', async (_, text) => {
  await redis.zadd(keys.processes, Date.now() + 60_000, text)
  expect(await read()).toEqual([])
  await redis.zrem(keys.processes, text)
})

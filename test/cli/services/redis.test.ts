import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { startOwnRedis, useServices } from '../../support/services.ts'

const config = async (url: string, name: string): Promise<unknown> => {
  const redis = new Redis(url)
  const [, value] = (await redis.config('GET', name)) as string[]
  redis.disconnect()
  return value
}

test('Redis keeps an append-only file, never evicts and listens on loopback alone', async () => {
  const { redis } = await useServices()
  expect(await config(redis, 'appendonly')).toBe('yes')
  expect(await config(redis, 'maxmemory-policy')).toBe('noeviction')
  expect(await config(redis, 'bind')).toBe('127.0.0.1')
})

test('Redis that was killed comes back on the same port with its data', async () => {
  await using server = await startOwnRedis({ appendfsync: 'always' })
  const redis = new Redis(server.url)
  await redis.set('kept', 'yes')
  redis.disconnect()
  const { pid, url } = server
  await server.kill()
  expect(server.running()).toBe(false)
  await server.start()
  expect(server.pid).not.toBe(pid)
  const after = new Redis(url)
  expect(await after.get('kept')).toBe('yes')
  after.disconnect()
})

test('directives of a test win', async () => {
  await using server = await startOwnRedis({ 'maxmemory-policy': 'allkeys-lru' })
  expect(await config(server.url, 'maxmemory-policy')).toBe('allkeys-lru')
})

test('a Redis that does not start says why', async () => {
  await expect(startOwnRedis({ maxmemory: 'plenty' })).rejects.toMatchObject({
    code: 'services',
    message: expect.stringContaining('maxmemory'),
  })
})

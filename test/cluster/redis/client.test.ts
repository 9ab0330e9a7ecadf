import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { freePort } from '../../../cli/services/ports.ts'
import { EventBus } from '../../../cluster/events.ts'
import { closeRedis, connectRedis } from '../../../cluster/redis/client.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { type OwnRedis, startRedis } from '../../support/redis.ts'

const settings = (redisUrl: string, startTimeout = 400) => readSettings({}, { redisUrl, startTimeout })

/** Unlike `once` of node:events it outlasts the errors of tries on the way. */
const readiness = (redis: Redis): Promise<void> => new Promise((resolve) => redis.once('ready', resolve))

let server: OwnRedis | undefined
afterEach(async () => {
  await server?.stop()
  server = undefined
})

describe('connecting to Redis', () => {
  test('where nobody listens it says so after the start timeout', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    await expect(connectRedis(settings(url))).rejects.toMatchObject({ code: 'redis-unreachable' })
  })

  test('where somebody listens and never answers it says so too', async () => {
    const mute = createServer(() => {}).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const address = mute.address()
    const port = typeof address === 'object' ? address?.port : 0
    await expect(connectRedis(settings(`redis://127.0.0.1:${port}`))).rejects.toMatchObject({
      code: 'redis-unreachable',
    })
    mute.close()
  })

  test('an address that is none, or no address, is one clear error', async () => {
    await expect(connectRedis(settings('localhost:6379'))).rejects.toMatchObject({ code: 'settings' })
    await expect(connectRedis(settings(''))).rejects.toMatchObject({ code: 'redis-unreachable' })
  })

  test('it waits for a Redis that comes later, and tells for what', async () => {
    const port = await freePort()
    const events = new EventBus()
    const told = events.next('waiting')
    const connecting = connectRedis(settings(`redis://127.0.0.1:${port}`, 20_000), { events })
    expect(await told).toMatchObject({ for: `Redis at 127.0.0.1:${port}` })
    server = await startRedis([], port)
    const redis = await connecting
    expect(await redis.ping()).toBe('PONG')
    closeRedis(redis)
  })

  test('where it may be away nobody waits: commands are refused until it is there', async () => {
    const port = await freePort()
    const url = `redis://127.0.0.1:${port}`
    const redis = await connectRedis(settings(url, 60_000), { mayBeAway: true })
    await expect(redis.ping()).rejects.toThrow()
    const ready = readiness(redis)
    server = await startRedis([], port)
    await ready
    expect(await redis.ping()).toBe('PONG')
    closeRedis(redis)
  })

  test.each(['redis://127.0.0.1', 'redis://:wrong-word@127.0.0.1'])(
    'missing or wrong credentials fail at once, and the error does not show them (%s)',
    async (base) => {
      server = await startRedis(['--requirepass', 'right-word'])
      const refused = connectRedis(settings(`${base}:${server.port}`, 60_000))
      await expect(refused).rejects.toMatchObject({ code: 'redis-auth' })
      await expect(refused).rejects.not.toThrow(/wrong-word|right-word/)
    },
  )

  test('the right password lets in', async () => {
    server = await startRedis(['--requirepass', 'right-word'])
    const redis = await connectRedis(settings(`redis://:right-word@127.0.0.1:${server.port}`))
    expect(await redis.ping()).toBe('PONG')
    closeRedis(redis)
  })

  test('a Redis that evicts keys is refused at once', async () => {
    server = await startRedis(['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'])
    await expect(connectRedis(settings(server.url, 60_000))).rejects.toMatchObject({ code: 'redis-policy' })
  })

  test('a lost connection refuses commands at once and comes back by itself', async () => {
    server = await startRedis()
    const { port } = server
    const redis = await connectRedis(settings(server.url))
    await server.stop()
    await expect(redis.ping()).rejects.toThrow()
    const ready = readiness(redis)
    server = await startRedis([], port)
    await ready
    expect(await redis.ping()).toBe('PONG')
    closeRedis(redis)
  })
})

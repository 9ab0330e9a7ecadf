/** Whose the keys of a cluster id are: the first who claims them has them, and everybody else is told what to do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeRedis, connectRedis } from '../../../cluster/redis/client.ts'
import { claimHome, forgetHome } from '../../../cluster/redis/home.ts'
import { keysOf } from '../../../cluster/redis/keys.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { uniqueName, useServices } from '../../support/services.ts'

let redis: Awaited<ReturnType<typeof connectRedis>>
beforeAll(async () => {
  const services = await useServices()
  redis = await connectRedis(readSettings({}, { redisUrl: services.redis }))
})
afterAll(() => closeRedis(redis))

const own = { kafka: 'a-cluster', topicPrefix: '' }

describe('the keys of a cluster id', () => {
  test('are of who claims them first, as often as it likes; of several at one moment one has them', async () => {
    const keys = keysOf(uniqueName('home'))
    const homes = ['a', 'b', 'c'].map((kafka) => ({ kafka, topicPrefix: 'x.' }))
    const settled = await Promise.allSettled(homes.map((home) => claimHome(redis, keys, home)))
    const granted = homes.filter((_, index) => settled[index]?.status === 'fulfilled')
    expect(granted).toHaveLength(1)
    for (const home of granted) await claimHome(redis, keys, home)
    expect(await redis.get(keys.home)).toBe(`${granted[0]?.kafka} x.`)
    expect(await redis.pttl(keys.home)).toBe(-1)
  })

  test.each([
    [
      'another Kafka cluster',
      { kafka: 'another', topicPrefix: '' },
      / belong to Kafka cluster a-cluster, and this is Kafka cluster another$/,
    ],
    [
      'another prefix',
      { kafka: 'a-cluster', topicPrefix: 'x.' },
      / belong to topic prefix '' of this Kafka cluster, and this is topic prefix 'x.' of this Kafka cluster$/,
    ],
  ])('are refused to %s, with what to do', async (_, other, line) => {
    const id = uniqueName('home')
    const keys = keysOf(id)
    await claimHome(redis, keys, own)
    await expect(claimHome(redis, keys, other)).rejects.toMatchObject({
      code: 'redis-conflict',
      exitCode: 5,
      message: expect.stringMatching(line),
      remedy: `give each installation a MILLRACE_CLUSTER_ID of its own; if the other is gone for good, delete the key {${id}}:home there`,
    })
    await forgetHome(redis, keys)
    await claimHome(redis, keys, other)
  })
})

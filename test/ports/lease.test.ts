import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sleep, systemClock } from '../../cluster/actor/clock.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { type Leases, redisLeases, trustedUntil } from '../../cluster/redis/lease.ts'
import { readSettings } from '../../cluster/settings.ts'
import { memoryLeases } from '../support/memory-leases.ts'
import { type OwnRedis, startRedis } from '../support/redis.ts'
import { virtualClock } from '../support/virtual-clock.ts'

interface Rig {
  readonly leases: Leases
  pass(ms: number): Promise<void>
  wipe(): Promise<void>
}

const conformance = (rig: () => Rig) => {
  test('one holder at a time: a second is refused until the first has released', async () => {
    const { leases } = rig()
    const first = await leases.acquire('one', 'a', 5000)
    expect(first).toMatchObject({ holder: 'a' })
    expect(await leases.acquire('one', 'b', 5000)).toBeUndefined()
    expect(await leases.holder('one')).toEqual(first)
    expect(first && (await leases.release('one', first))).toBe(true)
    expect(await leases.holder('one')).toBeUndefined()
    expect(await leases.acquire('one', 'b', 5000)).toMatchObject({ holder: 'b' })
  })

  test('names do not touch each other', async () => {
    const { leases } = rig()
    expect(await leases.acquire('left', 'a', 5000)).toBeDefined()
    expect(await leases.acquire('right', 'b', 5000)).toBeDefined()
  })

  test('a lease ends by itself, and renewing prolongs it', async () => {
    const { leases, pass } = rig()
    const term = await leases.acquire('ends', 'a', 400)
    await pass(250)
    expect(term && (await leases.renew('ends', term, 400))).toBe(true)
    await pass(250)
    expect(await leases.holder('ends')).toEqual(term)
    await pass(250)
    expect(await leases.holder('ends')).toBeUndefined()
    expect(term && (await leases.renew('ends', term, 400))).toBe(false)
    expect(await leases.acquire('ends', 'b', 400)).toBeDefined()
  })

  test('every term is above all earlier ones, also after the store was emptied', async () => {
    const { leases, pass, wipe } = rig()
    const terms: number[] = []
    for (let round = 0; round < 5; round++) {
      const term = await leases.acquire('terms', `holder ${round}`, 5000)
      if (term === undefined) throw new Error('refused')
      terms.push(term.term)
      if (round === 2) await wipe()
      else await leases.release('terms', term)
      await pass(1)
    }
    expect(terms).toEqual([...new Set(terms)].sort((a, b) => a - b))
  })

  test('a holder whose reply was lost acquires again, under a new term; the old term is over', async () => {
    const { leases } = rig()
    const lost = await leases.acquire('again', 'a b', 5000)
    const term = await leases.acquire('again', 'a b', 5000)
    if (lost === undefined || term === undefined) throw new Error('refused')
    expect(term.term).toBeGreaterThan(lost.term)
    expect(await leases.renew('again', lost, 5000)).toBe(false)
    expect(await leases.release('again', lost)).toBe(false)
    expect(await leases.holder('again')).toEqual(term)
  })

  test('a delayed renew or release of an earlier holder touches no later one', async () => {
    const { leases } = rig()
    const early = await leases.acquire('late', 'a', 5000)
    if (early === undefined) throw new Error('refused')
    await leases.release('late', early)
    const later = await leases.acquire('late', 'b', 5000)
    expect(await leases.renew('late', early, 60_000)).toBe(false)
    expect(await leases.release('late', early)).toBe(false)
    expect(await leases.holder('late')).toEqual(later)
  })
}

describe('leases in memory', () => {
  conformance(() => {
    const clock = virtualClock()
    const leases = memoryLeases(clock)
    return { leases, pass: (ms) => clock.advance(ms), wipe: async () => leases.wipe() }
  })
})

describe('leases in Redis', () => {
  let server: OwnRedis
  let redis: Awaited<ReturnType<typeof connectRedis>>
  beforeAll(async () => {
    server = await startRedis()
    redis = await connectRedis(readSettings({}, { redisUrl: server.url }))
  })
  afterAll(async () => {
    closeRedis(redis)
    await server.stop()
  })
  conformance(() => ({
    leases: redisLeases(redis, keysOf('test')),
    pass: (ms) => sleep(systemClock, ms),
    wipe: async () => void (await redis.flushall()),
  }))
})

test('a holder stops trusting its lease before it can end, however long the request was under way', async () => {
  const clock = virtualClock()
  const leases = memoryLeases(clock)
  const sentAt = clock.now()
  await clock.advance(3000)
  const term = await leases.acquire('slow', 'a', 10_000)
  expect(trustedUntil(sentAt, 10_000)).toBeLessThan(sentAt + 10_000)
  await clock.advance(trustedUntil(sentAt, 10_000) - clock.now())
  expect(await leases.holder('slow')).toEqual(term)
})

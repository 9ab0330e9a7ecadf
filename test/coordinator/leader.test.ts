import { describe, expect, test } from 'vitest'
import type { Leases } from '../../cluster/redis/lease.ts'
import { elector } from '../../coordinator/leader.ts'
import { memoryLeases } from '../support/memory-leases.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const LEASE = 10_000

const rig = () => {
  const clock = virtualClock()
  const leases = memoryLeases(clock)
  const away = { away: false, delayMs: 0 }
  const reached: Leases = {
    ...leases,
    acquire: async (...args) => {
      await clock.advance(away.delayMs)
      if (away.away) throw new Error('Redis is away')
      return leases.acquire(...args)
    },
    renew: async (...args) => {
      if (away.away) throw new Error('Redis is away')
      return leases.renew(...args)
    },
  }
  const candidate = (holder: string) => elector({ leases: reached, clock, holder, leaseMs: LEASE })
  return { clock, leases, away, candidate }
}

describe('leadership', () => {
  test('one leads, the other stands by; after a resignation at once the other way round', async () => {
    const { candidate } = rig()
    const [one, two] = [candidate('one'), candidate('two')]
    expect([await one.campaign(), await two.campaign()]).toEqual([true, false])
    await one.resign()
    expect([one.leads(), await two.campaign()]).toEqual([false, true])
  })

  test('a leader that cannot renew stops trusting itself before its lease has ended', async () => {
    const { clock, leases, away, candidate } = rig()
    const one = candidate('one')
    await one.campaign()
    away.away = true
    await clock.advance(LEASE * 0.7)
    expect(await one.campaign(), 'the trust that is left stands').toBe(true)
    await clock.advance(LEASE * 0.2)
    expect(await leases.holder('coordinator')).toMatchObject({ holder: 'one' })
    expect(one.leads()).toBe(false)
    expect(await one.campaign()).toBe(false)
  })

  test('trust counts from before the request was sent', async () => {
    const { clock, away, candidate } = rig()
    const one = candidate('one')
    away.delayMs = LEASE * 0.5
    expect(await one.campaign()).toBe(true)
    await clock.advance(LEASE * 0.4)
    expect(one.leads()).toBe(false)
  })

  test('two never lead at once, whoever freezes for however long', async () => {
    const { clock, candidate } = rig()
    const all = ['one', 'two', 'three'].map(candidate)
    for (let round = 0; round < 300; round++) {
      // Seeded by the round: who campaigns, and how long nobody does.
      await all[(round * 7) % 3]?.campaign()
      await clock.advance(((round * 7919) % 13) * 1000)
      expect(all.filter((one) => one.leads()).length).toBeLessThanOrEqual(1)
    }
  })

  test('a new acquisition is a new term', async () => {
    const { clock, candidate } = rig()
    const one = candidate('one')
    await one.campaign()
    const first = one.term()?.term ?? 0
    await clock.advance(LEASE * 3)
    expect(await one.campaign()).toBe(true)
    expect(one.term()?.term).toBeGreaterThan(first)
  })

  test('a fenced leader stands by for a whole lease', async () => {
    const { clock, candidate } = rig()
    const [one, two] = [candidate('one'), candidate('two')]
    await one.campaign()
    one.deposed()
    await clock.advance(LEASE - 1)
    expect(await one.campaign()).toBe(false)
    await clock.advance(1)
    expect(await two.campaign()).toBe(true)
    expect(await one.campaign()).toBe(false)
  })
})

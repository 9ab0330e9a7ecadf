/** Plans in the log that this leader did not write: of another build, for another layout, for unknown workers, written again. */
import { describe, expect, test } from 'vitest'
import { EventBus } from '../../cluster/events.ts'
import type { Protocol } from '../../cluster/protocol/negotiation.ts'
import type { PlanRecord } from '../../cluster/protocol/plan.ts'
import type { PlanLog } from '../../cluster/protocol/plan-log.ts'
import { startCoordinator } from '../../coordinator/coordinator.ts'
import { memoryLeases } from '../support/memory-leases.ts'
import { memoryPlanStore } from '../support/memory-plan-log.ts'
import { memoryWorkers } from '../support/memory-workers.ts'
import { reportOf } from '../support/reports.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const LEASE = 10_000
const OLD: Protocol = { newest: 1, oldest: 1 }
const NEW: Protocol = { newest: 2, oldest: 1 }

const planOf = (epoch: number, owners: readonly (string | null)[]): PlanRecord => ({
  ...{ version: 1, pipeline: 'p', epoch, slots: owners.length, owners, leader: 'somebody' },
})

/** Coordinators on virtual time over one worker of 4 slots that reports what it is told to. */
const rig = () => {
  const clock = virtualClock()
  const leases = memoryLeases(clock)
  const workers = memoryWorkers(clock)
  const store = memoryPlanStore()
  let report = reportOf('a', [], { speaks: 2 })
  let alive = true
  const beat = () => {
    if (!alive) return
    void workers.renew(report, LEASE)
    clock.after(1000, beat)
  }
  beat()
  const coordinator = (id: string, protocol: Protocol, log: PlanLog = store.writer()) => {
    const events = new EventBus()
    const said: string[] = []
    events.on('waiting', ({ for: what, detail }) => said.push(`${what}: ${detail}`))
    const means = { leases, workers, clock, events, leaseMs: LEASE, viewEpoch: async () => 0 }
    return { ...startCoordinator({ ...means, id, protocol, log }), said }
  }
  const reports = (appliedEpoch: number, owned: readonly number[]) => {
    report = reportOf('a', owned, { appliedEpoch, speaks: 2 })
  }
  const die = () => {
    alive = false
  }
  return { clock, store, leases, coordinator, reports, die }
}

describe('a coordinator of an older build', () => {
  const NEWER = { version: 2, pipeline: 'p', epoch: 41 }
  const LINE =
    'a coordinator that reads it: the plan of p is of protocol version 2, this one reads up to 1: upgrade it'

  test('does not lead over a plan that it cannot read, and says so once; a newer one does, above its epoch', async () => {
    const { clock, store, coordinator } = rig()
    store.tell(NEWER)
    const old = coordinator('old', OLD)
    await clock.advance(LEASE * 3)
    expect(old.status()).toMatchObject({ leading: false })
    expect(store.records).toEqual([])
    expect(old.said).toEqual([LINE])
    store.tell(planOf(42, ['a', 'a', 'a', 'a']))
    await clock.advance(2000)
    expect(old.status(), 'it reads the newest again').toMatchObject({ leading: true })
    await old.stop()
  })

  test('reads the log at the begin of its term: what it has heard of it may be old', async () => {
    const { clock, store, leases, coordinator } = rig()
    store.tell(NEWER)
    const follow: PlanLog['follow'] = (listener) => {
      listener(planOf(5, ['a', 'a', 'a', null]))
      return () => undefined
    }
    const old = coordinator('old', OLD, { ...store.writer(), follow })
    await clock.advance(LEASE * 2)
    expect(store.records).toEqual([])
    expect(await leases.holder('coordinator')).toBeUndefined()
    expect(old.said).toEqual([LINE])
    await old.stop()
  })

  test('gives leadership back as soon as a newer leader has written', async () => {
    const { clock, store, leases, coordinator } = rig()
    const old = coordinator('old', OLD)
    await clock.advance(3000)
    expect(store.records.map(({ version }) => version)).toEqual([1])
    store.tell(NEWER)
    await clock.advance(1000)
    expect(old.status()).toMatchObject({ leading: false })
    expect(await leases.holder('coordinator'), 'a newer one need not wait for it').toBeUndefined()
    await clock.advance(LEASE)
    expect(store.records).toHaveLength(1)
    expect(old.said).toEqual([LINE])
    await old.stop()
  })
})

test('a newer leader writes what all speak, and the older version again when nobody lives', async () => {
  const { clock, store, coordinator, die } = rig()
  const leader = coordinator('new', NEW)
  await clock.advance(3000)
  die()
  await clock.advance(LEASE * 2)
  expect(store.records).toMatchObject([
    { version: 2, owners: ['a', 'a', 'a', 'a'] },
    { version: 1, owners: [null, null, null, null] },
  ])
  await leader.stop()
})

describe('a plan that a stranger wrote', () => {
  test('for unknown workers is corrected after one full lease', async () => {
    const { clock, store, coordinator } = rig()
    store.tell(planOf(7, ['a', 'nobody', 'nobody', 'a']))
    const leader = coordinator('c', OLD)
    await clock.advance(LEASE - 1000)
    expect(store.records).toEqual([])
    expect(leader.status().waiting).toEqual({ p: 'the leases of nobody' })
    await clock.advance(2000)
    expect(store.records).toMatchObject([{ epoch: 8, owners: ['a', 'a', 'a', 'a'] }])
    await leader.stop()
  })

  test('for another number of slots is corrected', async () => {
    const { clock, store, coordinator } = rig()
    const leader = coordinator('c', OLD)
    await clock.advance(3000)
    store.tell(planOf(9, ['a', 'a']))
    await clock.advance(2000)
    expect(store.records.at(-1)).toMatchObject({ epoch: 10, slots: 4, owners: ['a', 'a', 'a', 'a'] })
    await leader.stop()
  })

  test('that is an old one written again moves nothing: a leader that finds only it goes on above what was applied', async () => {
    const { clock, store, coordinator, reports } = rig()
    reports(30, [0, 1, 2, 3])
    store.tell(planOf(7, ['a', 'a', 'a', 'a']))
    const leader = coordinator('c', OLD)
    await clock.advance(3000)
    expect(store.records).toMatchObject([{ epoch: 31, owners: ['a', 'a', 'a', 'a'] }])
    store.tell(planOf(8, ['b', 'b', 'b', 'b']))
    reports(31, [0, 1, 2, 3])
    await clock.advance(LEASE * 2)
    expect(store.records).toHaveLength(1)
    await leader.stop()
  })
})

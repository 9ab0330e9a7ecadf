import { describe, expect, test } from 'vitest'
import { EventBus } from '../../cluster/events.ts'
import type { PlanRecord, WorkerReport } from '../../cluster/protocol/plan.ts'
import { startCoordinator } from '../../coordinator/coordinator.ts'
import { memoryLeases } from '../support/memory-leases.ts'
import { memoryPlanStore } from '../support/memory-plan-log.ts'
import { memoryWorkers } from '../support/memory-workers.ts'
import { reportOf } from '../support/reports.ts'
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts'

const LEASE = 10_000

interface FakeWorker {
  readonly name: string
  alive: boolean
  frozen: boolean
  report(): WorkerReport
}

/** A cluster in virtual time: coordinators and workers that follow the plan at once. */
const rig = () => {
  const clock = virtualClock()
  const leases = memoryLeases(clock)
  const workers = memoryWorkers(clock)
  const store = memoryPlanStore()
  const events = new EventBus()

  const coordinator = (id: string, own: VirtualClock = clock) => {
    const log = store.writer()
    const started = startCoordinator({
      id,
      leases,
      workers,
      log,
      clock: own,
      events,
      leaseMs: LEASE,
      viewEpoch: async () => 0,
    })
    return { ...started, log }
  }
  const plan = (): PlanRecord => {
    const last = store.records.at(-1)
    if (last === undefined) throw new Error('no plan yet')
    return last
  }
  const worker = (name: string, over: Partial<WorkerReport> = {}): FakeWorker => {
    const self: FakeWorker = {
      name,
      alive: true,
      frozen: false,
      report: () => {
        const last = store.records.at(-1)
        const owned = last?.owners.flatMap((owner, slot) => (owner === name ? [slot] : [])) ?? []
        return reportOf(name, owned, { appliedEpoch: last?.epoch ?? 0, ...over })
      },
    }
    const beat = () => {
      if (!self.alive) return
      if (!self.frozen) void workers.renew(self.report(), LEASE).catch(() => undefined)
      clock.after(1000, beat)
    }
    beat()
    return self
  }
  return { clock, leases, workers, store, events, coordinator, worker, plan }
}

const owned = (plan: PlanRecord, worker: string) => plan.owners.filter((owner) => owner === worker).length

describe('the coordinator', () => {
  test('a fresh cluster has its first plan at once: nobody could be called dead', async () => {
    const { clock, coordinator, worker, plan } = rig()
    const leader = coordinator('c1')
    worker('a')
    worker('b')
    await clock.advance(2500)
    expect(owned(plan(), 'a')).toBe(2)
    expect(owned(plan(), 'b')).toBe(2)
    expect(leader.status()).toMatchObject({ leading: true, waiting: {} })
    await leader.stop()
  })

  test('a joining worker gets its share in two phases, and nobody else moves', async () => {
    const { clock, coordinator, worker, plan, store } = rig()
    const leader = coordinator('c1')
    worker('a')
    await clock.advance(3000)
    expect(owned(plan(), 'a')).toBe(4)
    worker('b')
    await clock.advance(5000)
    expect(owned(plan(), 'a')).toBe(2)
    expect(owned(plan(), 'b')).toBe(2)
    expect(store.records.map((record) => Object.keys(record.releasing ?? {}).length)).toEqual([0, 2, 0])
    await leader.stop()
  })

  test('a dead worker is replaced when its lease has ended, not before', async () => {
    const { clock, coordinator, worker, plan } = rig()
    const leader = coordinator('c1')
    const dying = worker('a')
    worker('b')
    await clock.advance(15_000)
    dying.alive = false
    await clock.advance(LEASE - 1500)
    expect(owned(plan(), 'a')).toBe(2)
    await clock.advance(3000)
    expect(owned(plan(), 'b')).toBe(4)
    await leader.stop()
  })

  test('a worker that leaves by itself is replaced at once', async () => {
    const { clock, coordinator, worker, plan, workers } = rig()
    const leader = coordinator('c1')
    const leaving = worker('a')
    worker('b')
    await clock.advance(4000)
    leaving.alive = false
    await workers.leave('a')
    await clock.advance(1100)
    expect(owned(plan(), 'b')).toBe(4)
    await leader.stop()
  })

  test('a new leader over living workers plans without waiting, but calls nobody dead before one full lease', async () => {
    const { clock, coordinator, worker, plan, store, workers } = rig()
    const first = coordinator('c1')
    const dying = worker('a')
    worker('b')
    await clock.advance(15_000)
    await first.stop()
    dying.alive = false
    workers.wipe()
    await clock.advance(1000)
    const second = coordinator('c2')
    const before = store.records.length
    await clock.advance(LEASE - 1500)
    expect(store.records).toHaveLength(before)
    expect(second.status()).toMatchObject({ leading: true, waiting: { p: 'the leases of a' } })
    await clock.advance(3000)
    expect(owned(plan(), 'b')).toBe(4)
    await second.stop()
  })

  test('after Redis came back empty, or was away, nobody is called dead before one full lease', async () => {
    for (const trouble of ['empty', 'away']) {
      const { clock, coordinator, worker, store, workers } = rig()
      const leader = coordinator('c1')
      const one = worker('a')
      worker('b')
      await clock.advance(15_000)
      one.frozen = true
      if (trouble === 'empty') workers.wipe()
      else {
        workers.away = true
        await clock.advance(LEASE)
        workers.away = false
      }
      const before = store.records.length
      await clock.advance(LEASE - 1500)
      expect(store.records).toHaveLength(before)
      one.frozen = false
      await clock.advance(LEASE)
      expect(store.records, 'it came back in time: nothing moved at all').toHaveLength(before)
      await leader.stop()
    }
  })

  test('a standby leads within lease + 2 s after the leader was killed', async () => {
    const { clock, coordinator, worker, plan } = rig()
    const own = virtualClock()
    const killed = coordinator('c1', own)
    worker('a')
    for (let ms = 0; ms < 4000; ms += 250) {
      await own.advance(250)
      await clock.advance(250)
    }
    expect(killed.status().leading).toBe(true)
    const standby = coordinator('c2')
    await clock.advance(LEASE + 2000)
    expect(standby.status().leading).toBe(true)
    worker('b')
    await clock.advance(3000)
    expect(plan().leader).toBe('c2')
    await standby.stop()
  })

  test('a frozen and thawed leader writes nothing: its trust is over before another can lead', async () => {
    const { clock, coordinator, worker, store } = rig()
    const own = virtualClock()
    const frozen = coordinator('c1', own)
    worker('a')
    for (let ms = 0; ms < 4000; ms += 250) {
      await own.advance(250)
      await clock.advance(250)
    }
    const standby = coordinator('c2')
    await clock.advance(LEASE + 2000)
    worker('b')
    await clock.advance(3000)
    const records = store.records.length
    await own.advance(LEASE + 5000)
    expect(frozen.status().leading).toBe(false)
    expect(store.records).toHaveLength(records)
    await standby.stop()
  })

  test('a deposed leader that still believes in its lease is fenced by the log, and stands by', async () => {
    const { clock, coordinator, worker, store, events } = rig()
    const leader = coordinator('c1')
    worker('a')
    await clock.advance(4000)
    const deposed = events.next('deposed')
    await store.writer().open()
    worker('b')
    await clock.advance(2000)
    expect(await deposed).toMatchObject({ reason: 'a later leader writes' })
    const records = store.records.length
    await clock.advance(LEASE - 3000)
    expect(leader.log.refused).toBe(1)
    expect(store.records).toHaveLength(records)
    await leader.stop()
  })

  test('an orderly end and a new start wait for nothing', async () => {
    const { clock, coordinator, worker, plan, workers } = rig()
    const first = coordinator('c1')
    const old = worker('a')
    await clock.advance(3000)
    await first.stop()
    old.alive = false
    await workers.leave('a')
    await clock.advance(60_000)
    const second = coordinator('c2')
    worker('b')
    await clock.advance(2500)
    expect(owned(plan(), 'b')).toBe(4)
    await second.stop()
  })

  test('several pipelines are served side by side', async () => {
    const { clock, coordinator, worker, store } = rig()
    const leader = coordinator('c1')
    worker('a')
    worker('x', { pipeline: 'q', slots: 2 })
    await clock.advance(3000)
    const newest = new Map(store.records.map((plan) => [plan.pipeline, plan.owners]))
    expect(newest).toEqual(
      new Map([
        ['p', ['a', 'a', 'a', 'a']],
        ['q', ['x', 'x']],
      ]),
    )
    await leader.stop()
  })

  test('epochs only grow, each once', async () => {
    const { clock, coordinator, worker, store } = rig()
    const leader = coordinator('c1')
    for (const name of ['a', 'b', 'c', 'd']) {
      worker(name)
      await clock.advance(4000)
    }
    const epochs = store.records.map((record) => record.epoch)
    expect(epochs.length).toBeGreaterThan(3)
    expect(epochs).toEqual(epochs.map((_, index) => index + 1))
    await leader.stop()
  })
})

import { describe, expect, test } from 'vitest'
import { EventBus } from '../../cluster/events.ts'
import type { PlanRecord } from '../../cluster/protocol/plan.ts'
import { joinCluster } from '../../workers/membership.ts'
import { followPlan } from '../../workers/plan-follower.ts'
import { memoryPlanStore } from '../support/memory-plan-log.ts'
import { memoryWorkers } from '../support/memory-workers.ts'
import { reportOf } from '../support/reports.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const LEASE = 10_000

describe('membership', () => {
  const rig = () => {
    const clock = virtualClock()
    const own = virtualClock()
    const workers = memoryWorkers(clock)
    const events = new EventBus()
    let appliedEpoch = 0
    const report = () => reportOf('w', [], { appliedEpoch: appliedEpoch++ })
    const membership = joinCluster({ workers, clock: own, events, leaseMs: LEASE, report })
    /** Time goes on everywhere, in steps. */
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 250) {
        await clock.advance(250)
        await own.advance(250)
      }
    }
    const isLive = async () => (await workers.read()).live.some(({ worker }) => worker === 'w')
    return { clock, own, workers, events, membership, pass, isLive }
  }

  test('registers at once, and reports anew every second', async () => {
    const { workers, membership, pass, isLive } = rig()
    await pass(250)
    expect(await isLive()).toBe(true)
    expect(membership.leaseFresh()).toBe(true)
    await pass(60_000)
    const [report] = (await workers.read()).live
    expect(report?.appliedEpoch).toBeGreaterThanOrEqual(58)
    await membership.stop()
  })

  test('reports at once when told to, and keeps its pace', async () => {
    const { workers, membership, pass } = rig()
    await pass(250)
    const before = (await workers.read()).live[0]?.appliedEpoch ?? 0
    membership.tell()
    await pass(250)
    expect((await workers.read()).live[0]?.appliedEpoch).toBe(before + 1)
    await pass(10_000)
    expect((await workers.read()).live[0]?.appliedEpoch).toBeLessThanOrEqual(before + 12)
    await membership.stop()
  })

  test('leaves by itself: nobody waits for its lease', async () => {
    const { workers, membership, pass } = rig()
    await pass(250)
    await membership.stop()
    const roster = await workers.read()
    expect([roster.live, [...roster.left]]).toEqual([[], ['w']])
    expect(membership.leaseFresh()).toBe(false)
  })

  test('Redis away: it keeps trying, work may go on, and it is back with Redis', async () => {
    const { workers, membership, pass, isLive, events } = rig()
    await pass(1000)
    const told = events.next('waiting')
    workers.away = true
    await pass(60_000)
    expect((await told).detail).toContain('away')
    expect([membership.leaseFresh(), membership.mayFence()]).toEqual([false, true])
    workers.away = false
    await pass(1500)
    expect([await isLive(), membership.leaseFresh()]).toEqual([true, true])
    await membership.stop()
  })

  test.each([true, false])(
    'after standing still for longer than its lease it may fence nobody before it has renewed (Redis away before: %s)',
    async (away) => {
      const { own, workers, membership, pass } = rig()
      await pass(1000)
      workers.away = away
      await pass(1000)
      expect(membership.mayFence()).toBe(true)
      own.freeze(LEASE)
      expect(membership.mayFence()).toBe(false)
      await pass(250)
      expect(membership.mayFence()).toBe(true)
      await membership.stop()
    },
  )
})

describe('following the plan', () => {
  const planOf = (epoch: number, owners: readonly (string | null)[], pipeline = 'p'): PlanRecord => ({
    version: 1,
    pipeline,
    epoch,
    slots: owners.length,
    owners,
    leader: 'l',
  })
  const settle = () => new Promise((resolve) => setImmediate(resolve))

  const rig = (last?: PlanRecord, slots = 1) => {
    const store = memoryPlanStore()
    const log = store.writer()
    const calls: [number, readonly number[]][] = []
    const kept: number[] = []
    const gates: (() => void)[] = []
    let held = false
    const follower = () =>
      followPlan({
        source: log,
        pipeline: 'p',
        worker: 'a',
        slots,
        last,
        keep: (plan) => kept.push(plan.epoch),
        apply: async (epoch, slots) => {
          calls.push([epoch, slots])
          if (held) await new Promise<void>((resolve) => gates.push(resolve))
        },
      })
    const hold = () => {
      held = true
      return () => {
        held = false
        for (const open of gates) open()
      }
    }
    return { log, calls, kept, follower, hold }
  }

  test('a worker owns exactly what the newest plan says', async () => {
    const { log, calls, kept, follower } = rig(undefined, 3)
    await log.open()
    await log.append(planOf(1, ['a', 'b', 'a']))
    const following = follower()
    await settle()
    await log.append(planOf(2, ['b', null, 'a']))
    await log.append(planOf(1, ['a', 'a', 'a'], 'another pipeline'))
    await settle()
    expect(calls).toEqual([
      [1, [0, 2]],
      [2, [2]],
    ])
    expect(kept).toEqual([1, 2])
    expect(following.appliedEpoch()).toBe(2)
    await following.stop()
  })

  test('an epoch that is not above the last moves nothing', async () => {
    const { log, calls, follower } = rig()
    await log.open()
    const following = follower()
    await log.append(planOf(5, ['a']))
    await settle()
    await log.append(planOf(5, ['b']))
    await log.append(planOf(4, ['b']))
    await settle()
    expect(calls).toEqual([[5, [0]]])
    await following.stop()
  })

  test('an older plan does not take the place of a newer one that waits', async () => {
    const { log, calls, follower, hold } = rig()
    await log.open()
    const following = follower()
    const release = hold()
    await log.append(planOf(5, ['a']))
    await settle()
    await log.append(planOf(7, [null]))
    await log.append(planOf(6, ['a']))
    release()
    await settle()
    expect(calls).toEqual([
      [5, [0]],
      [7, []],
    ])
    await following.stop()
  })

  test('an epoch counts as applied only when what it took away is released; of those that wait only the newest counts', async () => {
    const { log, calls, follower, hold } = rig()
    await log.open()
    const following = follower()
    const release = hold()
    await log.append(planOf(1, ['a']))
    await settle()
    for (const epoch of [2, 3, 4]) await log.append(planOf(epoch, [null]))
    await settle()
    expect(following.appliedEpoch()).toBe(0)
    release()
    await settle()
    expect(calls.map(([epoch]) => epoch)).toEqual([1, 4])
    expect(following.appliedEpoch()).toBe(4)
    await following.stop()
  })

  test('a restarted worker resumes with the plan that was kept, before the log is read', async () => {
    const { log, calls, follower } = rig(planOf(7, [null, 'a']), 2)
    await log.open()
    const following = follower()
    await settle()
    expect(calls).toEqual([[7, [1]]])
    await log.append(planOf(7, [null, 'a']))
    await log.append(planOf(8, ['a', 'a']))
    await settle()
    expect(calls.at(-1)).toEqual([8, [0, 1]])
    expect(calls).toHaveLength(2)
    await following.stop()
  })

  test('after its end no plan is applied', async () => {
    const { log, calls, follower } = rig()
    await log.open()
    const following = follower()
    await following.stop()
    await log.append(planOf(1, ['a']))
    await settle()
    expect(calls).toEqual([])
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PROTOCOL } from '../../cluster/protocol/negotiation.ts'
import type { PlanRecord, SlotState, WorkerReport } from '../../cluster/protocol/plan.ts'
import { noStanding } from '../../coordinator/orders.ts'
import { nextRecord } from '../../coordinator/ownership.ts'

const planOf = (owners: readonly (string | null)[], over: Partial<PlanRecord> = {}): PlanRecord => ({
  version: PROTOCOL.newest,
  pipeline: 'p',
  epoch: 7,
  slots: owners.length,
  owners,
  releasing: {},
  leader: 'l',
  ...over,
})

const reportOf = (
  worker: string,
  owned: readonly number[],
  over: Partial<WorkerReport> & { readonly state?: SlotState } = {},
): WorkerReport => ({
  version: PROTOCOL.newest,
  worker,
  pipeline: 'p',
  slots: 4,
  host: 'h',
  pid: 1,
  startedAt: 0,
  appliedEpoch: 7,
  draining: false,
  owned: owned.map((slot) => ({
    slot,
    state: over.state ?? 'running',
    reason: '',
    epoch: 1,
    partitions: [],
    recordsPerSecond: 0,
    cpuMsPerSecond: 0,
    counters: { done: 0, dead: 0, dropped: 0, late: 0, parked: 0 },
  })),
  ...over,
})

const next = (
  plan: PlanRecord | undefined,
  target: readonly (string | null)[],
  live: readonly WorkerReport[],
  seenEpoch = 0,
) => nextRecord({ pipeline: 'p', plan, target, orders: noStanding, live, leader: 'l', seenEpoch })

describe('from target to plan', () => {
  test('the first plan gives at once: nobody held anything', () => {
    expect(next(undefined, ['a', 'b'], [reportOf('a', []), reportOf('b', [])])).toMatchObject({
      epoch: 1,
      owners: ['a', 'b'],
      releasing: {},
    })
  })

  test('an epoch lies above every one seen, also where the plan itself is gone', () => {
    expect(next(undefined, ['a'], [reportOf('a', [])], 41)?.epoch).toBe(42)
    expect(next(planOf(['a']), ['b'], [], 3)?.epoch).toBe(8)
  })

  test('where the plan says what is wanted there is no other plan', () => {
    expect(next(planOf(['a', 'b']), ['a', 'b'], [reportOf('a', [0]), reportOf('b', [1])])).toBeUndefined()
  })

  test('a slot wanted elsewhere is first taken away, from a worker that lives', () => {
    const live = [reportOf('a', [0, 1]), reportOf('b', [])]
    expect(next(planOf(['a', 'a']), ['a', 'b'], live)).toMatchObject({
      epoch: 8,
      owners: ['a', null],
      releasing: { 1: { worker: 'a', since: 8 } },
    })
  })

  const releasing = planOf(['a', null], { epoch: 8, releasing: { 1: { worker: 'a', since: 8 } } })

  test.each([
    ['it has not applied the epoch', reportOf('a', [0], { appliedEpoch: 7 }), undefined],
    ['it still holds the slot', reportOf('a', [0, 1], { appliedEpoch: 8 }), undefined],
    ['it has applied the epoch and holds it no more', reportOf('a', [0], { appliedEpoch: 8 }), ['a', 'b']],
    ['it leaves and holds it no more', reportOf('a', [0], { appliedEpoch: 7, draining: true }), ['a', 'b']],
    ['it leaves but still holds it', reportOf('a', [0, 1], { appliedEpoch: 7, draining: true }), undefined],
  ])('given on only when it was let go: %s', (_, report, owners) => {
    const record = next(releasing, ['a', 'b'], [report, reportOf('b', [])])
    expect(record?.owners).toEqual(owners)
  })

  test('given on at once where the lease of who held or releases it has ended', () => {
    expect(next(planOf(['a', 'b']), ['b', 'b'], [reportOf('b', [1])])?.owners).toEqual(['b', 'b'])
    expect(next(releasing, ['b', 'b'], [reportOf('b', [])])).toMatchObject({
      owners: ['b', 'b'],
      releasing: {},
    })
  })

  test('given back at once to who releases it, if it is wanted there again', () => {
    const live = [reportOf('a', [0, 1], { appliedEpoch: 7 })]
    expect(next(releasing, ['a', 'a'], live)).toMatchObject({ epoch: 9, owners: ['a', 'a'], releasing: {} })
  })

  test('a fenced shard owns again only by a newer plan: the same owners are written again, once', () => {
    const fenced = reportOf('a', [0], { state: 'fenced' })
    expect(next(planOf(['a']), ['a'], [fenced])).toMatchObject({ epoch: 8, owners: ['a'] })
    expect(
      next(planOf(['a'], { epoch: 8 }), ['a'], [fenced]),
      'it has not seen that plan yet',
    ).toBeUndefined()
  })

  test('where all speak a newer version the same owners are written again in it, once; where one does not any more, in the older', () => {
    const protocol = { newest: 2, oldest: 1 }
    const with_ = (plan: PlanRecord, ...speaks: readonly number[]) => {
      const live = speaks.map((one, index) => reportOf('ab'[index] ?? '', [index], { speaks: one }))
      const seen = { pipeline: 'p', plan, live, leader: 'l', seenEpoch: 0, protocol }
      return nextRecord({ ...seen, target: ['a', 'b'], orders: noStanding })
    }
    const older = planOf(['a', 'b'], { version: 1 })
    const newer = planOf(['a', 'b'], { version: 2 })
    expect(with_(older, 1, 2)).toBeUndefined()
    expect(with_(older, 2, 3)).toMatchObject({ version: 2, epoch: 8, owners: ['a', 'b'], releasing: {} })
    expect(with_(newer, 2, 2)).toBeUndefined()
    expect(with_(newer, 2, 1)).toMatchObject({ version: 1, epoch: 8, owners: ['a', 'b'], releasing: {} })
  })

  test('halted or claiming shards change nothing', () => {
    for (const state of ['halted', 'claiming'] as const)
      expect(next(planOf(['a']), ['a'], [reportOf('a', [0], { state })])).toBeUndefined()
  })

  test('another number of slots begins a new layout', () => {
    expect(next(planOf(['a', 'a']), ['a', 'b', 'a'], [])).toMatchObject({
      epoch: 8,
      slots: 3,
      owners: ['a', 'b', 'a'],
    })
  })
})

/** Workers that follow the plan late, or die, while the target changes as it likes. */
test('no plan gives a slot to a worker while another that lives holds it, and every target is reached', () => {
  const names = ['a', 'b', 'c']
  const slots = 5
  const step = fc.oneof(
    fc.record({
      do: fc.constant('target' as const),
      target: fc.array(fc.constantFrom(...names), { minLength: slots, maxLength: slots }),
    }),
    fc.record({ do: fc.constant('apply' as const), worker: fc.constantFrom(...names) }),
    fc.record({ do: fc.constant('report' as const), worker: fc.constantFrom(...names) }),
    fc.record({ do: fc.constant('restart' as const), worker: fc.constantFrom(...names) }),
    fc.record({ do: fc.constant('plan' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const holds = new Map(names.map((name) => [name, new Set<number>()]))
      const applied = new Map(names.map((name) => [name, 0]))
      const reports = new Map<string, WorkerReport>()
      let plan: PlanRecord | undefined
      let target: readonly string[] = new Array<string>(slots).fill('a')
      const report = (worker: string) =>
        reports.set(
          worker,
          reportOf(worker, [...(holds.get(worker) ?? [])], { appliedEpoch: applied.get(worker) ?? 0 }),
        )
      const apply = (worker: string) => {
        if (plan === undefined || !reports.has(worker)) return
        const own = plan.owners.flatMap((owner, slot) => (owner === worker ? [slot] : []))
        for (const slot of own)
          for (const other of names)
            if (other !== worker)
              expect(holds.get(other)?.has(slot), `slot ${slot} is held by ${other} too`).toBe(false)
        holds.set(worker, new Set(own))
        applied.set(worker, plan.epoch)
      }
      const makePlan = () => {
        // As the target is made: of those who live.
        const alive = target.map((name) =>
          reports.has(name) ? name : ([...reports.keys()].sort()[0] ?? null),
        )
        plan =
          nextRecord({
            pipeline: 'p',
            plan,
            target: alive,
            orders: noStanding,
            live: [...reports.values()],
            leader: 'l',
            seenEpoch: 0,
          }) ?? plan
      }
      for (const name of names) report(name)
      for (const one of steps) {
        if (one.do === 'target') target = one.target
        else if (one.do === 'apply') apply(one.worker)
        else if (one.do === 'report') report(one.worker)
        else if (one.do === 'plan') makePlan()
        else {
          // It dies with what it holds, and its lease ends.
          holds.set(one.worker, new Set())
          applied.set(one.worker, 0)
          reports.delete(one.worker)
        }
      }
      for (let round = 0; round < 4; round++) {
        for (const name of names) {
          report(name)
          apply(name)
          report(name)
        }
        makePlan()
      }
      expect(plan?.owners).toEqual(target)
    }),
    { numRuns: 1000 },
  )
})

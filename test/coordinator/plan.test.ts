import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { noStanding } from '../../coordinator/orders.ts'
import { type Candidate, type Owners, type PlanInput, planTarget } from '../../coordinator/plan.ts'

const named = (count: number): readonly Candidate[] =>
  Array.from({ length: count }, (_, index) => ({ worker: `worker-${index}`, capacity: 1 }))
const even = (slots: number, cost = 100): readonly number[] => new Array<number>(slots).fill(cost)
const nobody = (slots: number): Owners => new Array<null>(slots).fill(null)

const plan = (over: Partial<PlanInput> & Pick<PlanInput, 'workers' | 'costs'>): Owners =>
  planTarget({ previous: nobody(over.costs.length), orders: noStanding, balance: true, ...over })

/** Plans until nothing moves any more. */
const settle = (input: PlanInput, rounds = 200): Owners => {
  let previous = input.previous
  for (let round = 0; round < rounds; round++) {
    const next = planTarget({ ...input, previous })
    if (next.every((owner, slot) => owner === previous[slot])) return next
    previous = next
  }
  throw new Error('it never settles')
}

const moved = (before: Owners, after: Owners): number =>
  before.filter((owner, slot) => owner !== null && owner !== after[slot]).length

const loadsOf = (
  owners: Owners,
  costs: readonly number[],
  workers: readonly Candidate[],
): readonly number[] =>
  workers.map(({ worker }) =>
    costs.reduce((sum, cost, slot) => sum + (owners[slot] === worker ? cost : 0), 0),
  )

const workers = fc.uniqueArray(
  fc.record({ worker: fc.stringMatching(/^w[0-9]{1,2}$/), capacity: fc.constantFrom(1, 2, 4) }),
  {
    selector: (one) => one.worker,
    minLength: 1,
    maxLength: 12,
  },
)
const costs = fc.array(fc.nat(1000), { minLength: 1, maxLength: 64 })
const owner = fc.option(fc.stringMatching(/^w[0-9]{1,2}$/), { nil: null })
const situation = fc.tuple(workers, costs).chain(([live, cost]) =>
  fc.tuple(fc.array(owner, { minLength: cost.length, maxLength: cost.length }), fc.boolean()).map(
    ([previous, balance]): PlanInput => ({
      workers: live,
      costs: cost,
      previous,
      orders: noStanding,
      balance,
    }),
  ),
)

describe('the plan', () => {
  test('gives every slot exactly one living owner while one worker lives', () => {
    fc.assert(
      fc.property(situation, (input) => {
        const target = planTarget(input)
        expect(target).toHaveLength(input.costs.length)
        const live = new Set(input.workers.map(({ worker }) => worker))
        for (const one of target) expect(live.has(one ?? '')).toBe(true)
      }),
    )
  })

  test('gives nothing to nobody', () => {
    expect(plan({ workers: [], costs: even(3) })).toEqual([null, null, null])
  })

  test('is the same for the same values, in whatever order the workers are listed', () => {
    fc.assert(
      fc.property(situation, (input) => {
        expect(planTarget({ ...input, workers: input.workers.toReversed() })).toEqual(planTarget(input))
      }),
    )
  })

  test('moves at most ceil(slots / workers) beside those that must', () => {
    fc.assert(
      fc.property(situation, (input) => {
        const live = new Set(input.workers.map(({ worker }) => worker))
        const target = planTarget(input)
        const voluntary = input.previous.filter(
          (before, slot) => before !== null && live.has(before) && before !== target[slot],
        ).length
        expect(voluntary).toBeLessThanOrEqual(
          input.balance ? Math.ceil(input.costs.length / input.workers.length) : 0,
        )
      }),
    )
  })

  test('at a join only slots for the newcomer move, as many as its share; back to rest at once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 12 }), (slots, count) => {
        const before = plan({ workers: named(count), costs: even(slots) })
        const live = named(count + 1)
        const after = plan({ workers: live, costs: even(slots), previous: before })
        expect(moved(before, after)).toBe(Math.floor(slots / (count + 1)))
        for (const [slot, one] of after.entries())
          if (one !== before[slot]) expect(one).toBe(`worker-${count}`)
        expect(plan({ workers: live, costs: even(slots), previous: after })).toEqual(after)
      }),
    )
  })

  test('at a leave only the slots of who left move', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 2, max: 12 }), (slots, count) => {
        const before = plan({ workers: named(count), costs: even(slots) })
        const after = plan({ workers: named(count - 1), costs: even(slots), previous: before })
        const gone = before.filter((one) => one === `worker-${count - 1}`).length
        expect(moved(before, after)).toBe(gone)
        const counts = loadsOf(after, even(slots, 1), named(count - 1))
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('always comes to rest', () => {
    fc.assert(fc.property(situation, (input) => void settle({ ...input, balance: true })))
  })

  test('noise of a few percent moves nothing', () => {
    fc.assert(
      fc.property(
        workers,
        fc.array(fc.integer({ min: 50, max: 400 }), { minLength: 4, maxLength: 64 }),
        fc.infiniteStream(fc.double({ min: -0.02, max: 0.02, noNaN: true })),
        (live, cost, noise) => {
          const at = plan({ workers: live, costs: cost })
          const rest = settle({ workers: live, costs: cost, previous: at, orders: noStanding, balance: true })
          fc.pre(moved(at, rest) === 0)
          const noisy = cost.map((one) => one * (1 + Number(noise.next().value)))
          expect(plan({ workers: live, costs: noisy, previous: rest })).toEqual(rest)
        },
      ),
    )
  })

  test('idle slots, whose little cost is all noise, stay where they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 8, maxLength: 64 }),
        (cost) => {
          const rest = plan({ workers: named(4), costs: even(cost.length, 1) })
          expect(plan({ workers: named(4), costs: cost, previous: rest })).toEqual(rest)
        },
      ),
    )
  })

  test('a threefold skew of cost settles at busiest / mean <= 1.2', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.array(fc.integer({ min: 100, max: 300 }), { minLength: 16, maxLength: 64 }),
        (count, cost) => {
          const live = named(count)
          const piled = cost.map((_, slot) => `worker-${slot % 2}`)
          const rest = settle({
            workers: live,
            costs: cost,
            previous: piled,
            orders: noStanding,
            balance: true,
          })
          const loads = loadsOf(rest, cost, live)
          const mean = loads.reduce((sum, load) => sum + load, 0) / count
          expect(Math.max(...loads) / mean).toBeLessThanOrEqual(1.2)
        },
      ),
    )
  })

  test('a worker of double capacity carries about double', () => {
    const live = [
      { worker: 'big', capacity: 2 },
      { worker: 'small', capacity: 1 },
    ]
    expect(loadsOf(plan({ workers: live, costs: even(12) }), even(12, 1), live)).toEqual([8, 4])
  })

  test('a pinned slot goes where it is pinned and stays; a pin to nobody waits', () => {
    const pins = { 0: 'worker-1', 1: 'worker-1', 2: 'worker-1', 3: 'elsewhere' }
    const orders = { ...noStanding, pins }
    const first = plan({ workers: named(2), costs: even(4), orders })
    expect(first.slice(0, 3)).toEqual(['worker-1', 'worker-1', 'worker-1'])
    expect(first[3]).toBe('worker-0')
    expect(settle({ workers: named(2), costs: even(4), previous: first, orders, balance: true })).toEqual(
      first,
    )
  })

  test('a drained worker owns nothing', () => {
    const orders = { ...noStanding, drains: ['worker-0'] }
    const target = plan({
      workers: named(3),
      costs: even(9),
      previous: even(9).map(() => 'worker-0'),
      orders,
    })
    expect(target).not.toContain('worker-0')
    expect(plan({ workers: named(1), costs: even(2), orders })).toEqual([null, null])
  })
})

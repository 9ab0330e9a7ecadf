/** The laws of the plan with people's orders: pins and drains; with capacity; and what is left to gain when it rests. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../cli/random.ts'
import { noStanding } from '../../coordinator/orders.ts'
import { type Candidate, planTarget } from '../../coordinator/plan.ts'
import {
  eligibleOf,
  loadsOf,
  mustMove,
  settle,
  situation,
  weightOf,
  workersArb,
  zipfCosts,
} from '../support/plan-world.ts'

const voluntaryOf = (input: Parameters<typeof planTarget>[0]) => {
  const must = mustMove(input)
  const target = planTarget(input)
  return target.filter((owner, slot) => !must.has(slot) && owner !== input.previous[slot]).length
}

describe('the plan under orders', () => {
  test('every slot has one owner, and that one may own, while anybody may', () => {
    fc.assert(
      fc.property(situation, (input) => {
        const eligible = eligibleOf(input)
        const target = planTarget(input)
        expect(target).toHaveLength(input.costs.length)
        if (eligible.size > 0) expect(target.every((owner) => eligible.has(owner ?? ''))).toBe(true)
        else expect(target.every((owner) => owner === null)).toBe(true)
      }),
    )
  })

  test('a pin holds where its worker may own, whatever that costs; else the slot is placed like any other', () => {
    fc.assert(
      fc.property(situation, (input) => {
        const eligible = eligibleOf(input)
        const target = planTarget(input)
        for (const [slot, pin] of Object.entries(input.orders.pins))
          if (eligible.has(pin)) expect(target[Number(slot)]).toBe(pin)
      }),
    )
  })

  test('without balancing exactly those move that must', () => {
    fc.assert(
      fc.property(situation, (input) => {
        expect(voluntaryOf({ ...input, balance: false })).toBe(0)
      }),
    )
  })

  test('with balancing at most ceil(slots / workers) move beside those that must', () => {
    fc.assert(
      fc.property(situation, (input) => {
        const most = Math.ceil(input.costs.length / Math.max(1, eligibleOf(input).size))
        expect(voluntaryOf({ ...input, balance: true })).toBeLessThanOrEqual(most)
      }),
    )
  })

  test('always comes to rest, and rests where it is asked again', () => {
    fc.assert(
      fc.property(situation, (input) => {
        const rest = settle(input)
        expect(planTarget({ ...input, previous: rest, balance: true })).toEqual(rest)
        expect(planTarget({ ...input, previous: rest, balance: false })).toEqual(rest)
      }),
    )
  })

  test('the order in which workers, drains and pins are listed says nothing', () => {
    fc.assert(
      fc.property(situation, (input) => {
        const pins = Object.fromEntries(Object.entries(input.orders.pins).toReversed())
        const orders = { pins, drains: input.orders.drains.toReversed() }
        const listed = { ...input, workers: input.workers.toReversed(), orders }
        expect(planTarget(listed)).toEqual(planTarget(input))
      }),
    )
  })

  test('a drain that is taken back moves as much as a join, no more', () => {
    fc.assert(
      fc.property(workersArb, fc.array(fc.nat(1000), { minLength: 1, maxLength: 48 }), (workers, costs) => {
        fc.pre(workers.length > 1)
        const drains = [workers[0]?.worker ?? '']
        const previous = costs.map(() => null)
        const drained = settle({ workers, costs, previous, orders: { pins: {}, drains }, balance: true })
        expect(drained).not.toContain(drains[0])
        const back = { workers, costs, previous: drained, orders: noStanding, balance: true }
        expect(voluntaryOf(back)).toBeLessThanOrEqual(Math.ceil(costs.length / workers.length))
      }),
    )
  })
})

/** Share of the mean load that a move has to take off, and share of what it moves. */
const PAYS = 0.1
const EFFICIENT = 0.25

const totalOf = (workers: readonly Candidate[]) => workers.reduce((sum, one) => sum + one.capacity, 0)
const loadIn = (loads: ReadonlyMap<string, number>, { worker }: Candidate) => loads.get(worker) ?? 0

describe('the plan at rest', () => {
  test('no single move would take a tenth of the mean load off the busiest worker: capacity counts', () => {
    fc.assert(
      fc.property(situation, (anything) => {
        const input = { ...anything, orders: noStanding }
        const { workers, costs } = input
        const rest = settle(input)
        const loads = loadsOf(rest, costs, workers)
        const capacityOf = new Map(workers.map((one) => [one.worker, one.capacity]))
        const mean = costs.reduce((sum, cost) => sum + weightOf(cost), 0) / totalOf(workers)
        const busiest = workers.toSorted((a, b) => loadIn(loads, b) - loadIn(loads, a))[0]
        if (busiest === undefined) return
        for (const [slot, owner] of rest.entries())
          for (const to of workers) {
            if (owner !== busiest.worker || to === busiest) continue
            const leaves = weightOf(costs[slot] ?? 0) / busiest.capacity
            const arrives = weightOf(costs[slot] ?? 0) / (capacityOf.get(to.worker) ?? 1)
            const before = loadIn(loads, busiest)
            const gain = before - Math.max(before - leaves, loadIn(loads, to) + arrives)
            if (gain > EFFICIENT * leaves) expect(gain).toBeLessThanOrEqual(PAYS * mean + 1e-9)
          }
      }),
    )
  })

  test('Zipf keys that cost up to threefold settle at busiest / mean <= 1.2 where workers are used, wherever they began', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 24, max: 96 }),
        (seed, count, slots) => {
          const random = seededRandom(seed)
          const costs = zipfCosts(slots, () => random.unit(), { total: 1500 * count })
          const workers = Array.from({ length: count }, (_, at) => ({ worker: `w${at}`, capacity: 1 }))
          const previous = costs.map(() => `w${random.below(count)}`)
          const rest = settle({ workers, costs, previous, orders: noStanding, balance: true })
          const loads = workers.map(({ worker }) =>
            costs.reduce((sum, cost, slot) => sum + (rest[slot] === worker ? cost : 0), 0),
          )
          const mean = loads.reduce((sum, load) => sum + load, 0) / count
          // A slot cannot be shared. Two that fill a worker each are not torn apart for a tenth of it.
          fc.pre(Math.max(...costs) <= mean / 2)
          expect(Math.max(...loads)).toBeLessThanOrEqual(1.2 * mean)
        },
      ),
    )
  })
})

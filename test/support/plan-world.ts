/** Situations of a plan for property tests, and what its owners come to. */
import fc from 'fast-check'
import type { Candidate, Orders, Owners, PlanInput } from '../../coordinator/plan.ts'
import { planTarget } from '../../coordinator/plan.ts'

const name = fc.stringMatching(/^w[0-9]$/)
const owner = fc.option(name, { nil: null })

export const workersArb = fc.uniqueArray(fc.record({ worker: name, capacity: fc.constantFrom(1, 2, 4) }), {
  selector: (one) => one.worker,
  minLength: 1,
  maxLength: 8,
})

const ordersOf = (slots: number): fc.Arbitrary<Orders> =>
  fc.record({
    pins: fc.dictionary(fc.nat(slots - 1).map(String), name, { maxKeys: 6 }),
    drains: fc.uniqueArray(name, { maxLength: 4 }),
  })

/** Any workers, costs, owners before, pins and drains. */
export const situation: fc.Arbitrary<PlanInput> = fc
  .tuple(workersArb, fc.array(fc.nat(1000), { minLength: 1, maxLength: 48 }))
  .chain(([workers, costs]) =>
    fc.record({
      workers: fc.constant(workers),
      costs: fc.constant(costs),
      previous: fc.array(owner, { minLength: costs.length, maxLength: costs.length }),
      orders: ordersOf(costs.length),
      balance: fc.boolean(),
    }),
  )

export const eligibleOf = ({ workers, orders }: Pick<PlanInput, 'workers' | 'orders'>): ReadonlySet<string> =>
  new Set(workers.map(({ worker }) => worker).filter((worker) => !orders.drains.includes(worker)))

/** Slots that cannot stay: their owner is gone or drained, or they are pinned to another that is there. */
export const mustMove = (input: PlanInput): ReadonlySet<number> => {
  const eligible = eligibleOf(input)
  const has = (before: string | null, slot: number) => {
    const pin = input.orders.pins[slot]
    return pin !== undefined && eligible.has(pin) ? before === pin : eligible.has(before ?? '')
  }
  return new Set([...input.previous.keys()].filter((slot) => !has(input.previous[slot] ?? null, slot)))
}

/** Plans until nothing moves any more. */
export const settle = (input: PlanInput): Owners => {
  let { previous } = input
  for (let round = 0; round < 300; round++) {
    const next = planTarget({ ...input, previous, balance: true })
    if (next.every((one, slot) => one === previous[slot])) return next
    previous = next
  }
  throw new Error('it never settles')
}

/** What any slot weighs at least, in the plan's own unit. */
const LEAST = 20
export const weightOf = (cost: number): number => Math.max(LEAST, cost)

/** Load of each worker in units of its capacity. */
export const loadsOf = (
  owners: Owners,
  costs: readonly number[],
  workers: readonly Candidate[],
): ReadonlyMap<string, number> =>
  new Map(
    workers.map(({ worker, capacity }) => [
      worker,
      costs.reduce((sum, cost, slot) => sum + (owners[slot] === worker ? weightOf(cost) : 0), 0) / capacity,
    ]),
  )

/** Costs of slots whose records have Zipf keys, each key between one and `skew` times as dear as the cheapest. */
export const zipfCosts = (
  slots: number,
  random: () => number,
  { keys = 2000, skew = 3, total = 2000 } = {},
): readonly number[] => {
  const costs = new Array<number>(slots).fill(0)
  for (let key = 1; key <= keys; key++) {
    const slot = Math.floor(random() * slots)
    costs[slot] = (costs[slot] ?? 0) + (1 + (skew - 1) * random()) / key
  }
  const sum = costs.reduce((all, one) => all + one, 0)
  return costs.map((cost) => (cost * total) / sum)
}

/**
 * The target: who shall own which slot. Pure.
 *
 * Laws (test/coordinator/plan.test.ts):
 * - every slot has exactly one owner while one eligible worker lives;
 * - a slot stays where it is unless its owner is gone or draining, it is pinned elsewhere, or a move pays;
 * - moves for balance are at most ceil(slots / workers) at a time;
 * - a round of moves pays when together they take more than `PAYS` of the mean load off busier workers; each of them brings
 *   more than `EFFICIENT` of what it moves. So noise moves nothing;
 * - the same values give the same target, in whatever order workers are listed.
 */
import type { Standing } from '../cluster/protocol/plan.ts'

export interface Candidate {
  readonly worker: string
  /** Relative to the others, above 0. */
  readonly capacity: number
}

/** A pin to a worker that is not there waits for it. */
export type Orders = Pick<Standing, 'pins' | 'drains'>

export interface PlanInput {
  readonly workers: readonly Candidate[]
  /** By slot: CPU ms/s + weight of lag; see cost.ts. */
  readonly costs: readonly number[]
  /** By slot. */
  readonly previous: readonly (string | null)[]
  readonly orders: Orders
  /** False places the homeless only: while moves are under way, or before their effect can be measured. */
  readonly balance: boolean
}

export type Owners = readonly (string | null)[]

/** What any slot weighs at least, in the unit of costs: idle slots are spread as well, and their noise says nothing. */
const LEAST = 20
const PAYS = 0.1
const EFFICIENT = 0.25

interface Load {
  readonly worker: string
  readonly capacity: number
  readonly slots: Set<number>
  weight: number
}

export const planTarget = (input: PlanInput): Owners => {
  const loads = eligible(input)
  if (loads.length === 0) return input.costs.map(() => null)
  const weights = input.costs.map((cost) => Math.max(LEAST, cost))
  const pinned = new Set<number>()
  for (const slot of weights.keys()) {
    const pin = loads.find((load) => load.worker === input.orders.pins[slot])
    const stays = loads.find((load) => load.worker === input.previous[slot])
    if (pin !== undefined) pinned.add(slot)
    give(pin ?? stays, slot, weights)
  }
  placeHomeless(loads, weights)
  if (input.balance) balance(loads, weights, pinned)
  return ownersOf(loads, weights.length)
}

const eligible = ({ workers, orders }: PlanInput): readonly Load[] =>
  workers
    .filter(({ worker }) => !orders.drains.includes(worker))
    .toSorted((a, b) => (a.worker < b.worker ? -1 : 1))
    .map(({ worker, capacity }) => ({
      worker,
      capacity: Math.max(capacity, 0.01),
      slots: new Set(),
      weight: 0,
    }))

const give = (load: Load | undefined, slot: number, weights: readonly number[]) => {
  if (load === undefined) return
  load.slots.add(slot)
  load.weight += weights[slot] ?? 0
}

const take = (load: Load, slot: number, weights: readonly number[]) => {
  load.slots.delete(slot)
  load.weight -= weights[slot] ?? 0
}

/** The heaviest first, each to whoever is least loaded with it. */
const placeHomeless = (loads: readonly Load[], weights: readonly number[]) => {
  const placed = new Set(loads.flatMap((load) => [...load.slots]))
  const homeless = [...weights.keys()]
    .filter((slot) => !placed.has(slot))
    .sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b)
  for (const slot of homeless) {
    const after = (load: Load) => (load.weight + (weights[slot] ?? 0)) / load.capacity
    give(
      loads.reduce((best, load) => (after(load) < after(best) ? load : best)),
      slot,
      weights,
    )
  }
}

interface Move {
  readonly slot: number
  readonly from: Load
  readonly to: Load
  readonly gain: number
}

const balance = (loads: readonly Load[], weights: readonly number[], pinned: ReadonlySet<number>) => {
  const most = Math.ceil(weights.length / loads.length)
  const mean = total(loads, 'weight') / total(loads, 'capacity')
  const moves: Move[] = []
  // A slot moves once at most: a second move of it would be a move too many.
  const settled = new Set(pinned)
  while (moves.length < most) {
    const move = bestMove(loads, weights, settled)
    if (move === undefined) break
    carryOut(move, weights)
    settled.add(move.slot)
    moves.push(move)
  }
  const gained = moves.reduce((sum, move) => sum + move.gain, 0)
  if (gained > PAYS * mean) return
  for (const { slot, from, to } of moves.toReversed()) carryOut({ slot, from: to, to: from }, weights)
}

const total = (loads: readonly Load[], of: 'weight' | 'capacity'): number =>
  loads.reduce((sum, load) => sum + load[of], 0)

const carryOut = ({ slot, from, to }: Omit<Move, 'gain'>, weights: readonly number[]) => {
  take(from, slot, weights)
  give(to, slot, weights)
}

/** From the most loaded worker that has an efficient move. */
const bestMove = (
  loads: readonly Load[],
  weights: readonly number[],
  settled: ReadonlySet<number>,
): Move | undefined => {
  const busiestFirst = loads.toSorted((a, b) => b.weight / b.capacity - a.weight / a.capacity)
  for (const from of busiestFirst) {
    let best: Move | undefined
    for (const slot of [...from.slots].sort((a, b) => a - b)) {
      if (settled.has(slot)) continue
      const weight = weights[slot] ?? 0
      for (const to of busiestFirst.toReversed()) {
        const gain = gainOf(from, to, weight)
        const least = Math.max((EFFICIENT * weight) / from.capacity, best?.gain ?? 0)
        if (to !== from && gain > least) best = { slot, from, to, gain }
      }
    }
    if (best !== undefined) return best
  }
  return undefined
}

/** By how much the load of the busier of the two falls. */
const gainOf = (from: Load, to: Load, weight: number): number =>
  from.weight / from.capacity -
  Math.max((from.weight - weight) / from.capacity, (to.weight + weight) / to.capacity)

const ownersOf = (loads: readonly Load[], slots: number): Owners => {
  const owners: (string | null)[] = new Array(slots).fill(null)
  for (const load of loads) for (const slot of load.slots) owners[slot] = load.worker
  return owners
}

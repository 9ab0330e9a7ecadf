/**
 * One pipeline's planning, from what the leader saw to the next record, if any. Pure: its memory goes in and comes out.
 *
 * Balance is sought when the set of workers changed, and later only where nothing is on its way and the effect of the last
 * change had time to show in the measured costs. Where nobody owns anything, the first plan waits a moment for workers that start together.
 */
import type { Protocol } from '../cluster/protocol/negotiation.ts'
import type { Order } from '../cluster/protocol/orders.ts'
import type { PlanRecord } from '../cluster/protocol/plan.ts'
import type { Roster } from '../cluster/redis/workers.ts'
import { nextCosts } from './cost.ts'
import { candidatesOf, missingFrom, reportsOf, slotsFor } from './membership.ts'
import { noStanding, type Obeyed, obey } from './orders.ts'
import { nextRecord } from './ownership.ts'
import { type Candidate, type Owners, planTarget } from './plan.ts'

export interface Memory {
  readonly costs: readonly number[]
  readonly at: number
  readonly target: Owners
  /** Names of the candidates that the target was made for. */
  readonly workers: string
  readonly targetAt: number
  /** When the first worker of a pipeline was seen in which nobody owns anything. */
  readonly firstSeen: number | undefined
}

export const noMemory = (now: number): Memory => ({
  costs: [],
  at: now,
  target: [],
  workers: '',
  targetAt: now,
  firstSeen: undefined,
})

export interface Seen {
  readonly pipeline: string
  readonly plan: PlanRecord | undefined
  readonly roster: Roster
  readonly mayJudge: boolean
  readonly leader: string
  readonly seenEpoch: number
  /** What the leader speaks. */
  readonly protocol?: Protocol | undefined
  /** Those that came; what the plan has taken up already is passed over. */
  readonly orders: readonly Order[]
  readonly now: number
}

export interface Timing {
  readonly gatherMs: number
  readonly rebalanceMs: number
}

export interface Step {
  readonly memory: Memory
  readonly record: PlanRecord | undefined
  /** Why there is no plan yet; empty where there is nothing to wait for. */
  readonly waitsFor: string
  /** Orders that the record takes up without being able to obey them, a line each. */
  readonly refused: readonly string[]
}

const waiting = (memory: Memory, waitsFor: string): Step => ({
  memory,
  record: undefined,
  waitsFor,
  refused: [],
})

export const planStep = (memory: Memory, seen: Seen, timing: Timing): Step => {
  const { plan, roster, pipeline, now } = seen
  const reports = reportsOf(roster, pipeline)
  const slots = slotsFor(plan, reports)
  const costs = nextCosts(memory.costs, slots, reports, now - memory.at)
  const ownerless = isOwnerless(plan)
  const firstSeen = ownerless && reports.length > 0 ? (memory.firstSeen ?? now) : undefined
  const known = { ...memory, costs, at: now, firstSeen }
  const missing = seen.mayJudge ? [] : missingFrom(plan, roster)
  if (missing.length > 0) return waiting(known, `the leases of ${missing.join(', ')}`)
  if (ownerless && (firstSeen === undefined || now - firstSeen < timing.gatherMs))
    return waiting(known, 'workers')

  const workers = candidatesOf(reports, slots)
  const layout = { slots, workers: workers.map(({ worker }) => worker) }
  const obeyed = obey(plan?.orders ?? noStanding, seen.orders, layout)
  const next = retarget(known, { ...seen, obeyed, workers, slots }, timing)
  const { leader, seenEpoch, protocol } = seen
  const { target } = next
  const orders = obeyed.standing
  const by = { leader, seenEpoch, protocol }
  const record = nextRecord({ pipeline, plan, target, orders, live: reports, ...by })
  return { memory: next, record, waitsFor: '', refused: obeyed.refused }
}

const isOwnerless = (plan: PlanRecord | undefined): boolean =>
  plan === undefined ||
  (plan.owners.every((owner) => owner === null) && Object.keys(plan.releasing ?? {}).length === 0)

interface Wanted extends Seen {
  readonly obeyed: Obeyed
  readonly workers: readonly Candidate[]
  readonly slots: number
}

const retarget = (memory: Memory, wanted: Wanted, timing: Timing): Memory => {
  const { plan, now, workers, slots } = wanted
  const { standing: orders, moves } = wanted.obeyed
  const names = workers.map(({ worker }) => worker).join(' ')
  const moving = Object.keys(plan?.releasing ?? {}).length > 0
  const rested = !moving && now - memory.targetAt >= timing.rebalanceMs
  const known = memory.target.length === slots ? memory.target : []
  const previous = Array.from(
    { length: slots },
    (_, slot) => moves[slot] ?? known[slot] ?? (plan?.slots === slots ? plan.owners[slot] : null) ?? null,
  )
  // A new leader has measured nothing yet: it does not balance before it has.
  const changed = memory.workers === '' ? isOwnerless(plan) : names !== memory.workers
  const balance = (changed || rested) && Object.keys(moves).length === 0
  const target = planTarget({ workers, costs: memory.costs, previous, orders, balance })
  const same = target.every((owner, slot) => owner === known[slot]) && names === memory.workers
  return { ...memory, target, workers: names, targetAt: same ? memory.targetAt : now }
}

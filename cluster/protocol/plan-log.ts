/**
 * The plan log: every plan ever made for a pipeline, in order; the newest counts.
 * Law: after `open` of a later writer, no record of an earlier one appears; an epoch is written once.
 */
import type { Order } from './orders.ts'
import type { PlanRecord, UnreadPlan } from './plan.ts'

export interface PlanSource {
  /** The newest plan of each pipeline, be it readable or not. After `open` it holds all that earlier writers have committed; the newest of a writer's own may not be visible yet. */
  latest(): Promise<ReadonlyMap<string, PlanRecord | UnreadPlan>>
  /**
   * Told of the newest plan of each pipeline, then of every later one; `ordered` likewise of what people order, perhaps
   * more than once. The returned function ends it.
   */
  follow(listener: (plan: PlanRecord | UnreadPlan) => void, ordered?: (order: Order) => void): () => void
}

export interface PlanLog extends PlanSource {
  /** Begins a term: fences every earlier writer for ever. */
  open(): Promise<Appended>
  append(plan: PlanRecord): Promise<Appended>
}

export type Appended =
  | 'ok'
  /** A later leader writes. */
  | 'fenced'
  /** Perhaps written, perhaps not: open again and read before the next. */
  | 'unclear'

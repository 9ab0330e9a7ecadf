/**
 * Does a slot move? Judged by position, not by heartbeat (protocol P6): a slot with work to do whose position has not moved for
 * the stall timeout stands still, unless it waits for something that has a name. Pure, but for what it remembers.
 */
import type { SlotState } from '../cluster/protocol/plan.ts'
import type { Position } from '../cluster/protocol/state.ts'
import { lagOf } from './report.ts'

export interface SlotProgress {
  readonly slot: number
  readonly state: SlotState
  /** Rises with each claim and commit, and with what a restore has read. */
  readonly steps: number
  readonly positions: ReadonlyMap<number, Position>
  /** Last stable offsets: what an open transaction upstream hides is no work yet. */
  readonly ends: ReadonlyMap<number, number>
  /** Partitions that are not read, by order. */
  readonly unread: ReadonlySet<number>
  /** Too many are parked: the input waits for their retries. */
  readonly isCapped: boolean
  /** A thread is busy with it, or will be: such a wait has a limit of its own. */
  readonly inPool: boolean
}

export interface StallRules {
  /** ms */
  readonly stallTimeout: number
  /** ms that one task of the pool may run. */
  readonly taskTimeout: number
}

/** A batch with a record that hangs is cut in two tasks; others may be before it. */
const TASKS = 4

const hasWork = ({ state, positions, ends, unread, isCapped }: SlotProgress): boolean => {
  if (state === 'claiming' || state === 'releasing') return true
  if (state !== 'running' || isCapped) return false
  return [...positions].some(
    ([partition, { next }]) => !unread.has(partition) && lagOf(partition, next, ends) > 0,
  )
}

interface Mark {
  readonly steps: number
  /** Monotonic ms. */
  readonly since: number
  readonly limit: number
}

export class Progress {
  readonly #rules: StallRules
  #marks = new Map<number, Mark>()

  constructor(rules: StallRules) {
    this.#rules = rules
  }

  /**
   * @param now monotonic ms
   * @param isExcused a wait with a name that holds for all, such as Kafka being away
   */
  look(slots: readonly SlotProgress[], now: number, isExcused: boolean): void {
    const { stallTimeout, taskTimeout } = this.#rules
    const marks = new Map<number, Mark>()
    for (const one of slots) {
      const before = this.#marks.get(one.slot)
      const stands = before?.steps === one.steps && hasWork(one) && !isExcused
      const limit = stallTimeout + (one.inPool ? TASKS * taskTimeout : 0)
      marks.set(one.slot, { steps: one.steps, since: stands ? before.since : now, limit })
    }
    this.#marks = marks
  }

  /** For how long each slot has stood still, in ms; those that move are not named. */
  still(now: number): ReadonlyMap<number, number> {
    return new Map(
      [...this.#marks].flatMap(([slot, { since }]) => (now > since ? [[slot, now - since] as const] : [])),
    )
  }

  /** Those that have stood still for too long. */
  stalled(now: number): readonly number[] {
    return [...this.#marks].flatMap(([slot, { since, limit }]) => (now - since >= limit ? [slot] : []))
  }

  /** It was started again: it gets its time anew. */
  forgive(slot: number): void {
    this.#marks.delete(slot)
  }
}

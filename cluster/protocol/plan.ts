/**
 * What travels between coordinator and workers. Plans and orders live in the cluster topic (compacted, one partition), reports and
 * leases in Redis. Their versions: negotiation.ts.
 */

/** Key `plan/<pipeline>` of the cluster topic. */
export interface PlanRecord {
  readonly version: number
  readonly pipeline: string
  readonly epoch: number
  readonly slots: number
  /** Owner of each slot by index; null while a slot is being released or nobody lives. */
  readonly owners: readonly (string | null)[]
  /** Slot -> the worker that still has to let go of it, and the epoch that took it away. Such a slot has no owner. */
  readonly releasing?: Readonly<Record<string, { readonly worker: string; readonly since: number }>>
  readonly leader: string
  /** Absent where nobody ever ordered anything. */
  readonly orders?: Standing
}

/** Orders in force. */
export interface Standing {
  /** Epoch of the newest order that is taken up: none is taken up twice. */
  readonly seen: number
  /** Slot -> worker. */
  readonly pins: Readonly<Record<string, string>>
  /** Workers that shall own nothing. */
  readonly drains: readonly string[]
  /** Partitions of the input that are not read. */
  readonly paused: readonly number[]
}

/** All that is known of a plan whose version is not read here. */
export interface UnreadPlan {
  readonly version: number
  readonly pipeline: string
  readonly epoch: number
  readonly owners?: never
}

export const isUnread = (plan: PlanRecord | UnreadPlan): plan is UnreadPlan => plan.owners === undefined

export type SlotState = 'claiming' | 'running' | 'releasing' | 'halted' | 'fenced'

export interface PartitionReport {
  readonly partition: number
  /** Next offset, committed. */
  readonly next: number
  readonly lag: number
  /** Not read, by order. */
  readonly paused?: boolean
}

/** What a worker says of one slot, once a second. */
export interface SlotReport {
  readonly slot: number
  readonly state: SlotState
  /** Why it waits or halted; empty while it runs. */
  readonly reason: string
  /** Plan epoch under which the slot was claimed. */
  readonly epoch: number
  readonly partitions: readonly PartitionReport[]
  /** Epoch ms of its last commit. */
  readonly committedAt?: number
  readonly recordsPerSecond: number
  readonly cpuMsPerSecond: number
  readonly counters: {
    readonly done: number
    readonly dead: number
    readonly dropped: number
    readonly late: number
    readonly parked: number
  }
  /** Insights by count: done records in the unfilled batch. */
  readonly waiting?: number
  /** The last order to flush that the slot has carried out. */
  readonly flushed?: string
}

/** A worker's lease: a Redis key with a time to live; its value is this. */
export interface WorkerReport {
  readonly version: number
  /** The newest version that it speaks; absent: its `version`. */
  readonly speaks?: number
  readonly worker: string
  readonly pipeline: string
  readonly slots: number
  readonly host: string
  readonly pid: number
  readonly startedAt: number
  /** Highest plan epoch this worker has fully applied: what that plan took from it is released. */
  readonly appliedEpoch: number
  readonly owned: readonly SlotReport[]
  readonly draining: boolean
  /** It sees Redis, and has not seen Kafka for longer than a lease. */
  readonly kafkaAway?: boolean
  /** How much it can carry beside the others (its pool threads); 1 where it says nothing. */
  readonly capacity?: number
  /** Topics that no other pipeline may write while it lives. */
  readonly writes?: readonly string[]
  /** Runs without a coordinator, which leaves it alone. */
  readonly solo?: boolean
}

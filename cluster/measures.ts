/** What a process can be asked about itself at any moment: numbers that go up and down. Telemetry asks; the flow only answers. */
import type { SlotState } from './protocol/plan.ts'
import type { Counters } from './protocol/state.ts'

export interface PartitionMeasures {
  readonly partition: number
  /** Next offset, committed. */
  readonly next: number
  readonly lag: number
  /** Age of the newest committed record in ms while there is lag, else 0. */
  readonly behindMs: number
  /** Absolute, from the state. */
  readonly counters: Counters
}

/** Why a slot reads no input. */
export type PauseReason = 'mailbox' | 'parked'

export interface SlotMeasures {
  readonly slot: number
  readonly state: SlotState
  /** Of a halted slot: the name of what stopped it. */
  readonly halt: string | undefined
  readonly partitions: readonly PartitionMeasures[]
  /** Read and not committed. */
  readonly mailbox: { readonly records: number; readonly bytes: number }
  /** ms since the shard began. */
  readonly paused: Readonly<Record<PauseReason, number>>
}

export interface PoolMeasures {
  readonly threads: number
  readonly busy: number
  readonly queued: number
}

export interface WorkerMeasures {
  readonly slots: readonly SlotMeasures[]
  readonly pool: PoolMeasures
}

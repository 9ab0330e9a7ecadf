/** What a shard needs to know of its slot and its surroundings; fixed for the life of a worker but for the plan epoch. */

import type { Limit } from '../cluster/actor/limit.ts'
import type { EventBus } from '../cluster/events.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { Names } from '../cluster/protocol/names.ts'
import type { Meta } from '../cluster/protocol/state.ts'
import type { Settings } from '../cluster/settings.ts'
import type { Aggregates } from '../pipelines/api/aggregates.ts'
import type { BatchRules } from '../pipelines/api/batches.ts'
import type { Budget } from './budget.ts'
import type { TraceBudget } from './trace-budget.ts'

/** Epoch of a claim made without a coordinator (`millrace run`): whoever starts it decides, so it yields to no earlier plan. */
export const SOLO_EPOCH = 0

export interface InsightsTarget {
  readonly rules: BatchRules
  /** Headers name it: pipelines may share the topic. */
  readonly pipeline: string
  readonly topic: string
  readonly partitions: number
  /** Of the topic: max.message.bytes. */
  readonly maxBytes: number
}

export interface SlotContext {
  readonly slot: number
  readonly slots: number
  readonly epoch: number
  readonly worker: string
  readonly names: Names
  readonly aggregates: Aggregates
  /** Insights by count, where the pipeline has any. */
  readonly insights?: InsightsTarget | undefined
  /** Of a new pipeline. */
  readonly birthMapping: Meta['outputMapping']
  /** max.message.bytes of the state topic. */
  readonly maxStateBytes: number
  readonly input: Topology
  readonly home: Topology
  readonly settings: Settings
  /** Restores of one worker share its threads and its sockets: few at a time. */
  readonly restoring: Limit
  /** Shared by the shards of a worker. */
  readonly budget?: Budget
  /** Likewise; absent where nothing is traced. */
  readonly traces?: TraceBudget | undefined
  readonly events: EventBus
}

/** What is asked at each collection: the gauges of a worker, a coordinator, a sink, and of the process itself. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { WorkerMeasures } from '../cluster/measures.ts'
import type { Instruments } from './instruments.ts'

const S = 1000
const US = 1e6
const NS = 1e9

export interface WorkerSource {
  readonly measures: () => WorkerMeasures
  readonly appliedEpoch: () => number
  /** Times that this process was started again. */
  readonly restarts: number
  /** MILLRACE_RESTARTS */
  readonly budget: number
}

export const observeWorker = (instruments: Instruments, source: WorkerSource): void => {
  observePartitions(instruments, source)
  observeSlots(instruments, source)
  const pool = () => source.measures().pool
  instruments.observe('millrace_pool_threads', () => [[pool().threads]])
  instruments.observe('millrace_pool_busy_threads', () => [[pool().busy]])
  instruments.observe('millrace_pool_queued_tasks', () => [[pool().queued]])
  instruments.observe('millrace_worker_restarts_total', () => [[source.restarts]])
  instruments.observe('millrace_restart_budget', () => [[source.budget]])
  instruments.observe('millrace_plan_epoch', () => [[source.appliedEpoch()]])
}

const observePartitions = (instruments: Instruments, { measures }: WorkerSource): void => {
  const partitions = () => measures().slots.flatMap((slot) => slot.partitions)
  type Partition = ReturnType<typeof partitions>[number]
  const each = (name: Parameters<Instruments['observe']>[0], value: (partition: Partition) => number) =>
    instruments.observe(name, () => partitions().map((one) => [value(one), { partition: one.partition }]))
  each('millrace_late_records_total', ({ counters }) => counters.late)
  each('millrace_parked_records', ({ counters }) => counters.parked)
  each('millrace_position', ({ next }) => next)
  each('millrace_lag_records', ({ lag }) => lag)
  each('millrace_behind_seconds', ({ behindMs }) => behindMs / S)
  instruments.observe('millrace_records_total', () =>
    partitions().flatMap(({ partition, counters: { done, dead, dropped } }) =>
      Object.entries({ done, dead, drop: dropped }).map(
        ([outcome, records]) => [records, { partition, outcome }] as const,
      ),
    ),
  )
}

const observeSlots = (instruments: Instruments, { measures }: WorkerSource): void => {
  const slots = () => measures().slots
  instruments.observe('millrace_slot_state', () => slots().map(({ slot, state }) => [1, { slot, state }]))
  instruments.observe('millrace_mailbox_records', () =>
    slots().map(({ slot, mailbox }) => [mailbox.records, { slot }]),
  )
  instruments.observe('millrace_mailbox_bytes', () =>
    slots().map(({ slot, mailbox }) => [mailbox.bytes, { slot }]),
  )
  instruments.observe('millrace_paused_seconds_total', () =>
    slots().flatMap(({ slot, paused }) =>
      Object.entries(paused).map(([reason, ms]) => [ms / S, { slot, reason }] as const),
    ),
  )
  instruments.observe('millrace_halted_slots', () => {
    const byCode = Map.groupBy(
      slots().flatMap(({ halt }) => halt ?? []),
      (code) => code,
    )
    return [...byCode].map(([code, all]) => [all.length, { code }] as const)
  })
}

export interface CoordinatorSource {
  readonly leading: () => boolean
  readonly term: () => number
  readonly plans: () => readonly {
    readonly pipeline: string
    readonly epoch: number
    readonly owners: readonly (string | null)[]
    readonly releasing?: Readonly<Record<string, unknown>>
  }[]
  /** Pipelines of the live workers, one entry a worker. */
  readonly workers: () => readonly { readonly pipeline: string }[]
  /** Undefined where it is not known yet. */
  readonly noeviction: () => boolean | undefined
}

export const observeCoordinator = (instruments: Instruments, source: CoordinatorSource): void => {
  instruments.observe('millrace_leading', () => [[source.leading() ? 1 : 0]])
  instruments.observe('millrace_leader_term', () => [[source.term()]])
  instruments.observe('millrace_plan_epoch', () =>
    source.plans().map(({ pipeline, epoch }) => [epoch, { pipeline }]),
  )
  instruments.observe('millrace_live_workers', () => {
    const counts = Map.groupBy(source.workers(), ({ pipeline }) => pipeline)
    const pipelines = new Set([...source.plans().map(({ pipeline }) => pipeline), ...counts.keys()])
    return [...pipelines].map((pipeline) => [counts.get(pipeline)?.length ?? 0, { pipeline }] as const)
  })
  instruments.observe('millrace_planned_slots', () =>
    source.plans().flatMap(({ pipeline, owners, releasing = {} }) => {
      const owned = owners.filter((owner) => owner !== null).length
      const leaving = Object.keys(releasing).length
      const states = { owned, releasing: leaving, unowned: owners.length - owned - leaving }
      return Object.entries(states).map(([state, slots]) => [slots, { pipeline, state }] as const)
    }),
  )
  instruments.observe('millrace_redis_noeviction', () => {
    const known = source.noeviction()
    return known === undefined ? [] : [[known ? 1 : 0]]
  })
}

export interface SinkSource {
  readonly index: string
  readonly documents: () => number
  readonly rejected: () => number
  readonly heldBytes: () => number
  readonly lag: () => number
}

export const observeSink = (instruments: Instruments, source: SinkSource): void => {
  const labels = { index: source.index }
  instruments.observe('millrace_sink_documents_total', () => [[source.documents(), labels]])
  instruments.observe('millrace_sink_rejected_total', () => [[source.rejected(), labels]])
  instruments.observe('millrace_sink_held_bytes', () => [[source.heldBytes(), labels]])
  instruments.observe('millrace_sink_lag_records', () => [[source.lag(), labels]])
}

export interface ProcessFacts {
  readonly role: string
  readonly version: string
  readonly id: string
}

const RESOLUTION_MS = 10
/** What a loop without any delay is seen to take. */
const FLOOR_NS = RESOLUTION_MS * 1e6
const QUANTILES = [0.5, 0.99, 1] as const

/** @returns ends the watching of the loop */
export const observeProcess = (
  instruments: Instruments,
  { role, version, id }: ProcessFacts,
): (() => void) => {
  instruments.observe('millrace_process_info', () => [[1, { role, version, id }]])
  instruments.observe('millrace_process_start_time_seconds', () => [[performance.timeOrigin / S]])
  instruments.observe('millrace_process_resident_memory_bytes', () => [[process.memoryUsage.rss()]])
  instruments.observe('millrace_process_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage()
    return [
      [user / US, { mode: 'user' }],
      [system / US, { mode: 'system' }],
    ]
  })
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  instruments.observe('millrace_event_loop_delay_seconds', () => {
    const found = QUANTILES.map(
      (quantile) =>
        [
          Math.max(0, delay.percentile(quantile * 100) - FLOOR_NS) / NS,
          { quantile: String(quantile) },
        ] as const,
    )
    delay.reset()
    return found
  })
  return () => delay.disable()
}

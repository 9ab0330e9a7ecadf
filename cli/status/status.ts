/**
 * What `millrace status` shows, and prints with `-o json`: from the facts of a moment. Pure. The shape is stable (docs/operate.md).
 * Times are ISO 8601, as the process that wrote them had it.
 */
import { type Order, orderText } from '../../cluster/protocol/orders.ts'
import type { PartitionReport, PlanRecord, SlotReport, WorkerReport } from '../../cluster/protocol/plan.ts'
import type { ClusterFacts } from './look.ts'

/** `unowned`: nobody's; `starting`: its worker lives and has not begun; `silent`: its worker does not report; `unknown`: Redis is away. */
export type ShownState = SlotReport['state'] | 'paused' | 'unowned' | 'starting' | 'silent' | 'unknown'

export interface ShownPartition {
  readonly partition: number
  /** Next offset of the input. */
  readonly position: number
  readonly lag: number
  readonly state: ShownState
}

export interface ShownSlot {
  readonly slot: number
  readonly owner: string | null
  readonly state: ShownState
  /** Why it waits or halted; empty where it does neither. */
  readonly reason: string
  /** Of all its partitions; null where nobody reports it. */
  readonly recordsPerSecond: number | null
  readonly parked: number | null
  readonly lastCommit: string | null
  /** Empty where nobody reports it. */
  readonly partitions: readonly ShownPartition[]
}

export interface ShownWorker {
  readonly worker: string
  readonly host: string
  readonly pid: number
  /** That it reports. */
  readonly slots: readonly number[]
  /** It ends: SIGTERM. */
  readonly draining: boolean
  /** By order. */
  readonly drained: boolean
  /** It has not seen Kafka for longer than its lease. */
  readonly kafkaAway: boolean
  /** It runs without a coordinator. */
  readonly solo: boolean
  /** Of the protocol. */
  readonly version: number
}

export interface ShownPipeline {
  readonly pipeline: string
  readonly plan: { readonly epoch: number; readonly leader: string; readonly writtenAt: string } | null
  readonly orders: {
    readonly pins: Readonly<Record<string, string>>
    readonly drains: readonly string[]
    readonly paused: readonly number[]
    /** Given, and not in a plan yet. */
    readonly open: readonly string[]
  }
  /** Null where Redis is away. */
  readonly workers: readonly ShownWorker[] | null
  readonly slots: readonly ShownSlot[]
}

export interface ClusterStatus {
  readonly at: string
  /** Null where nobody leads, or nobody knows. */
  readonly coordinator: { readonly id: string; readonly term: number } | null
  /** Why Redis does not answer; null where it does. */
  readonly redisAway: string | null
  readonly pipelines: readonly ShownPipeline[]
}

const timeOf = (ms: number): string => new Date(ms).toISOString()
const byName = (a: string, b: string): number => (a < b ? -1 : 1)

export const statusOf = (facts: ClusterFacts): ClusterStatus => {
  const seen = 'away' in facts.redis ? undefined : facts.redis
  const known = [...(seen?.roster.live ?? []), ...(seen?.roster.solo ?? [])]
  const names = new Set([
    ...facts.plans.keys(),
    ...known.map((report) => report.pipeline),
    ...facts.orders.map((order) => order.pipeline),
  ])
  const { leader } = seen ?? {}
  return {
    at: timeOf(facts.now),
    coordinator: leader === undefined ? null : { id: leader.holder, term: leader.term },
    redisAway: 'away' in facts.redis ? facts.redis.away : null,
    pipelines: [...names].sort(byName).map((name) => pipelineOf(name, facts, seen && known)),
  }
}

const pipelineOf = (
  pipeline: string,
  facts: ClusterFacts,
  known: readonly WorkerReport[] | undefined,
): ShownPipeline => {
  const written = facts.plans.get(pipeline)
  const { plan } = written ?? {}
  const { seen = 0, pins = {}, drains = [], paused = [] } = plan?.orders ?? {}
  const own = known?.filter((report) => report.pipeline === pipeline)
  return {
    pipeline,
    plan: written
      ? { epoch: written.plan.epoch, leader: written.plan.leader, writtenAt: timeOf(written.at) }
      : null,
    orders: {
      pins,
      drains,
      paused,
      open: openOrders(facts.orders, pipeline, seen).map(({ act }) => orderText(act)),
    },
    workers:
      own?.map((report) => workerOf(report, drains)).sort((a, b) => byName(a.worker, b.worker)) ?? null,
    slots: slotsOf(plan, own, new Set(paused)),
  }
}

/** A flush is no order to the leader. */
export const openOrders = (orders: readonly Order[], pipeline: string, seen: number): readonly Order[] =>
  orders.filter((order) => order.pipeline === pipeline && order.act.kind !== 'flush' && order.epoch > seen)

const workerOf = (report: WorkerReport, drains: readonly string[]): ShownWorker => ({
  worker: report.worker,
  host: report.host,
  pid: report.pid,
  slots: report.owned.map(({ slot }) => slot).sort((a, b) => a - b),
  draining: report.draining,
  drained: drains.includes(report.worker),
  kafkaAway: report.kafkaAway === true,
  solo: report.solo === true,
  version: report.version,
})

const slotsOf = (
  plan: PlanRecord | undefined,
  reports: readonly WorkerReport[] | undefined,
  paused: ReadonlySet<number>,
): readonly ShownSlot[] => {
  const count = plan?.slots ?? Math.max(0, ...(reports ?? []).map(({ slots }) => slots))
  return Array.from({ length: count }, (_, slot) => slotAt(slot, plan, reports, paused))
}

const NOTHING = {
  reason: '',
  recordsPerSecond: null,
  parked: null,
  lastCommit: null,
  partitions: [],
} as const

/** As its owner says; where the plan names none, whoever lets go of it, or claimed it last. */
const slotAt = (
  slot: number,
  plan: PlanRecord | undefined,
  reports: readonly WorkerReport[] | undefined,
  paused: ReadonlySet<number>,
): ShownSlot => {
  const owner = plan?.owners[slot] ?? null
  const leaving = plan?.releasing?.[slot]?.worker
  const all = (reports ?? []).flatMap(({ worker, owned }) =>
    owned.filter((one) => one.slot === slot).map((report) => ({ worker, report })),
  )
  const of = (worker: string) => all.find((one) => one.worker === worker)
  const latest = () => all.toSorted((a, b) => b.report.epoch - a.report.epoch)[0]
  const found = owner === null ? ((leaving && of(leaving)) ?? latest()) : of(owner)
  if (found) return shownSlot(found.report, found.worker, paused)
  if (owner === null && leaving !== undefined) return { slot, owner: leaving, state: 'releasing', ...NOTHING }
  return { slot, owner, state: unreported(owner, reports), ...NOTHING }
}

const unreported = (owner: string | null, reports: readonly WorkerReport[] | undefined): ShownState => {
  if (owner === null) return 'unowned'
  if (reports === undefined) return 'unknown'
  return reports.some(({ worker }) => worker === owner) ? 'starting' : 'silent'
}

const shownSlot = (report: SlotReport, owner: string, paused: ReadonlySet<number>): ShownSlot => {
  const { slot, state, reason, committedAt } = report
  // Ordered, or not read yet again.
  const stateOf = (one: PartitionReport): ShownState =>
    state === 'running' && (paused.has(one.partition) || one.paused) ? 'paused' : state
  const partitions = report.partitions
    .map((one) => ({ partition: one.partition, position: one.next, lag: one.lag, state: stateOf(one) }))
    .sort((a, b) => a.partition - b.partition)
  const all = partitions.length > 0 && partitions.every((one) => one.state === 'paused')
  return {
    slot,
    owner,
    state: all ? 'paused' : state,
    reason,
    recordsPerSecond: report.recordsPerSecond,
    parked: report.counters.parked,
    lastCommit: committedAt === undefined ? null : timeOf(committedAt),
    partitions,
  }
}

/**
 * Who is there, read from the roster: the pipelines, their layout, the candidates of a plan. Pure.
 *
 * P6 in one place: the leader calls nobody dead before it has watched for one full lease, since its leadership began or
 * since Redis came back or came back empty. While it may not judge, it plans only where no judgement is needed: where
 * everybody whom the plan names lives or left by itself. So a fresh cluster (no plan, hence no earlier owner), a new
 * leader over living workers, and a restart after an orderly end wait for nothing. Were this wrong, two workers would
 * claim a slot, and fencing lets the effects of one of them through.
 */
import type { PlanRecord, WorkerReport } from '../cluster/protocol/plan.ts'
import type { Roster } from '../cluster/redis/workers.ts'
import type { Candidate } from './plan.ts'

/**
 * A worker that has not seen Kafka for a lease counts as gone while others of its pipeline see it: it holds slots that it
 * cannot serve, and fencing keeps what it may still send from harm. Where nobody sees Kafka, nothing moves.
 */
export const withoutCutOff = (roster: Roster): Roster => {
  const seeing = new Set(roster.live.flatMap(({ pipeline, kafkaAway }) => (kafkaAway ? [] : [pipeline])))
  const live = roster.live.filter(({ pipeline, kafkaAway }) => !(kafkaAway && seeing.has(pipeline)))
  return { ...roster, live }
}

export const reportsOf = (roster: Roster, pipeline: string): readonly WorkerReport[] =>
  roster.live.filter((report) => report.pipeline === pipeline)

export const pipelinesOf = (roster: Roster, plans: ReadonlyMap<string, PlanRecord>): readonly string[] =>
  [...new Set([...plans.keys(), ...roster.live.map((report) => report.pipeline)])].sort()

/**
 * The workers read the count from the state topic, so it is the truth; the plan's own stands while anybody agrees or
 * nobody is there.
 */
export const slotsFor = (plan: PlanRecord | undefined, reports: readonly WorkerReport[]): number => {
  const agreed = reports.some((report) => report.slots === plan?.slots)
  const oldest = reports.toSorted((a, b) => a.startedAt - b.startedAt || (a.worker < b.worker ? -1 : 1))[0]
  return plan !== undefined && (agreed || oldest === undefined) ? plan.slots : (oldest?.slots ?? 0)
}

export const candidatesOf = (reports: readonly WorkerReport[], slots: number): readonly Candidate[] =>
  reports
    .filter((report) => !report.draining && report.slots === slots)
    .map(({ worker, capacity }) => ({ worker, capacity: capacity ?? 1 }))

/** Those whom the plan names that neither live nor left: only a full lease tells whether they are dead. */
export const missingFrom = (plan: PlanRecord | undefined, roster: Roster): readonly string[] => {
  const named = [...(plan?.owners ?? []), ...Object.values(plan?.releasing ?? {}).map(({ worker }) => worker)]
  const live = new Set(roster.live.map((report) => report.worker))
  return [...new Set(named)].filter(
    (worker) => worker !== null && !live.has(worker) && !roster.left.has(worker),
  ) as string[]
}

/** What the leader has seen of Redis, in monotonic ms. */
export interface Watch {
  /** Since then nothing disturbed the view. */
  readonly since: number
  readonly generation: string
}

/** A changed generation, or a gap in between, begins the watch anew. */
export const watched = (watch: Watch | undefined, generation: string, now: number): Watch =>
  watch?.generation === generation ? watch : { since: now, generation }

export const mayJudge = (watch: Watch, now: number, leaseMs: number): boolean => now - watch.since >= leaseMs

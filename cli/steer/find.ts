/** What a person means by a partition and a worker; refused before anything is ordered. Pure. */
import { MillraceError } from '../../cluster/errors.ts'
import { nearest } from '../../cluster/nearest.ts'
import { slotOf } from '../../cluster/protocol/names.ts'
import type { PlanRecord, WorkerReport } from '../../cluster/protocol/plan.ts'
import type { ClusterFacts } from '../status/look.ts'

/** One pipeline in the cluster. */
export interface Field {
  readonly pipeline: string
  readonly plan: PlanRecord | undefined
  /** Undefined where Redis is away. */
  readonly reports: readonly WorkerReport[] | undefined
  /** Of the other pipelines: their names by worker. */
  readonly others: ReadonlyMap<string, string>
}

export const fieldOf = (facts: ClusterFacts, pipeline: string): Field => {
  const live = 'away' in facts.redis ? undefined : facts.redis.roster.live
  return {
    pipeline,
    plan: facts.plans.get(pipeline)?.plan,
    reports: live?.filter((report) => report.pipeline === pipeline),
    others: new Map(
      (live ?? [])
        .filter((report) => report.pipeline !== pipeline)
        .map(({ worker, pipeline: other }) => [worker, other]),
    ),
  }
}

/** Undefined where neither a plan nor a worker tells. */
export const slotsOf = ({ plan, reports }: Field): number | undefined => plan?.slots ?? reports?.[0]?.slots

/** @throws MillraceError `usage` for one that is not there */
export const requirePartitions = (wanted: readonly number[], topic: string, count: number): void => {
  const missing = wanted.find((partition) => partition >= count)
  if (missing !== undefined)
    throw new MillraceError('usage', `there is no partition ${missing} in ${topic}`, {
      remedy: count === 1 ? 'its only partition is 0' : `its partitions are 0 to ${count - 1}`,
    })
}

/** All partitions that belong to the slot, of so many. */
export const partitionsOf = (slot: number, slots: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, partition) => partition).filter(
    (partition) => slotOf(partition, slots) === slot,
  )

/** Those that live; where Redis is away, those that the plan names. */
export const workersOf = ({ reports, plan }: Field): readonly string[] =>
  reports?.map(({ worker }) => worker) ??
  [
    ...new Set([
      ...(plan?.owners ?? []).filter((owner) => owner !== null),
      ...Object.values(plan?.releasing ?? {}).map(({ worker }) => worker),
    ]),
  ].sort()

/**
 * Its id, or the beginning of it or of its last part, where that fits one alone.
 * @throws MillraceError `usage`
 */
export const findWorker = (given: string, known: readonly string[], field: Field): string => {
  if (known.includes(given)) return given
  const last = (id: string) => id.slice(id.lastIndexOf('-') + 1)
  const fits = (id: string) => given !== '' && (id.startsWith(given) || last(id).startsWith(given))
  const found = known.filter(fits)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  if (only !== undefined)
    throw new MillraceError('usage', `${given} may be ${found.join(' or ')}`, { remedy: 'give more of it' })
  const elsewhere = [...field.others].find(([id]) => id === given || fits(id))
  throw new MillraceError('usage', `${field.pipeline} has no worker ${given}`, {
    remedy:
      elsewhere === undefined
        ? hintFor(given, known)
        : `${elsewhere[0]} runs ${elsewhere[1]}: name that with --pipeline`,
  })
}

const MOST_NAMED = 5

const hintFor = (given: string, known: readonly string[]): string => {
  if (known.length === 0) return 'none lives: `millrace status` shows what is known'
  if (known.length <= MOST_NAMED) return `there is ${known.join(', ')}`
  return `did you mean ${nearest(given, known)}? \`millrace status\` lists all ${known.length}`
}

/** May own slots, as far as is known. */
const takesSlots = ({ plan, reports }: Field, worker: string): boolean => {
  const report = reports?.find((one) => one.worker === worker)
  return !plan?.orders?.drains.includes(worker) && !report?.draining && !report?.kafkaAway
}

/** @throws MillraceError `usage` where no other is left that may own slots */
export const requireAnother = (field: Field, worker: string): void => {
  if (workersOf(field).some((other) => other !== worker && takesSlots(field, other))) return
  const detail =
    field.reports === undefined
      ? 'Redis is away: whether another worker lives is not known'
      : `no other worker of ${field.pipeline} may own slots: nothing would be read any more`
  throw new MillraceError('usage', detail, { remedy: 'start another first, or give --force' })
}

/** @throws MillraceError `usage` where the slot could not go there */
export const requireTaker = (field: Field, worker: string): void => {
  if (takesSlots(field, worker)) return
  const drained = field.plan?.orders?.drains.includes(worker)
  const why = drained ? 'is drained by order' : 'is about to end, or sees no Kafka'
  throw new MillraceError('usage', `worker ${worker} ${why}: it takes no slots`, {
    remedy: drained ? `take that back with \`millrace drain ${worker} --undo\`` : 'name another',
  })
}

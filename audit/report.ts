/** What an audit says, as data. `ok` is what a machine asks; `verdictLine` is what a person reads first. Pure. */
import { type DoubleFate, type Fate, type FateVerdict, MOST_NAMED } from './fate-book.ts'
import type { Mismatch } from './mismatch.ts'

export interface AuditCounts {
  /** Data offsets in the audited range. */
  readonly produced: number
  /** Done records: each is an output, but for a pipeline without an output topic, where they are only counted. */
  readonly outputs: number
  readonly dead: number
  readonly dropped: number
  readonly parked: number
  /** Done records that at least one aggregate left out. */
  readonly late: number
  /** Data offsets without a fate. */
  readonly lost: number
  /** Offsets with more than one fate. */
  readonly double: number
  /** Fates where the position covers no data offset. */
  readonly foreign: number
}

export interface PartitionReport extends AuditCounts {
  readonly partition: number
  /** The audited range: `from <= offset < to`; `to` is the position. */
  readonly from: number
  readonly to: number
}

export interface Named<T> {
  readonly partition: number
  readonly offsets: readonly T[]
}

export interface AuditReport extends AuditCounts {
  readonly ok: boolean
  readonly pipeline: string
  /** Topic of the outputs; null where the pipeline has none. */
  readonly output: string | null
  readonly range: { readonly topic: string; readonly partitions: number; readonly offsets: number }
  /** Counters, windows, parts and insights that differ from the recount. */
  readonly mismatch: number
  /** Outputs that do not stand in the order of their inputs. */
  readonly order: number
  /** What could not be compared, and why. */
  readonly notProvable: readonly string[]
  readonly partitions: readonly PartitionReport[]
  /** The first ones of each fault. */
  readonly offending: {
    readonly lost: readonly Named<number>[]
    readonly double: readonly Named<DoubleFate>[]
    readonly foreign: readonly Named<number>[]
    readonly mismatch: readonly Mismatch[]
    /** `<topic>/<partition>@<offset>` of the output that comes too late. */
    readonly order: readonly string[]
  }
}

export interface Findings {
  readonly pipeline: string
  readonly topic: string
  readonly output: string | undefined
  readonly verdicts: ReadonlyMap<number, FateVerdict>
  readonly mismatches: readonly Mismatch[]
  readonly order: { readonly count: number; readonly named: readonly string[] }
  readonly notProvable: readonly string[]
}

export const reportOf = (findings: Findings): AuditReport => {
  const partitions = [...findings.verdicts]
    .map(([partition, verdict]) => partitionReport(partition, verdict))
    .sort((a, b) => a.partition - b.partition)
  const total = (count: keyof AuditCounts) => partitions.reduce((sum, one) => sum + one[count], 0)
  const [lost, double, foreign] = [total('lost'), total('double'), total('foreign')]
  const { mismatches, order } = findings
  return {
    ok: lost + double + foreign + mismatches.length + order.count === 0,
    pipeline: findings.pipeline,
    output: findings.output ?? null,
    range: {
      topic: findings.topic,
      partitions: partitions.length,
      offsets: partitions.reduce((sum, { from, to }) => sum + to - from, 0),
    },
    produced: total('produced'),
    outputs: total('outputs'),
    dead: total('dead'),
    dropped: total('dropped'),
    parked: total('parked'),
    late: total('late'),
    lost,
    double,
    foreign,
    mismatch: mismatches.length,
    order: order.count,
    notProvable: findings.notProvable,
    partitions,
    offending: {
      lost: named(findings, (verdict) => verdict.offending.lost),
      double: named(findings, (verdict) => verdict.offending.double),
      foreign: named(findings, (verdict) => verdict.offending.foreign),
      mismatch: mismatches.slice(0, MOST_NAMED),
      order: order.named,
    },
  }
}

const partitionReport = (partition: number, verdict: FateVerdict): PartitionReport => {
  const { from, to, produced, counts, late, lost, double, foreign } = verdict
  const { output: outputs, dead, drop: dropped, parked } = counts
  return { partition, from, to, produced, outputs, dead, dropped, parked, late, lost, double, foreign }
}

const named = <T>(
  { verdicts }: Findings,
  pick: (verdict: FateVerdict) => readonly T[],
): readonly Named<T>[] =>
  [...verdicts]
    .map(([partition, verdict]) => ({ partition, offsets: pick(verdict) }))
    .filter(({ offsets }) => offsets.length > 0)
    .sort((a, b) => a.partition - b.partition)

export const fateName: Readonly<Record<Fate, string>> = {
  output: 'output',
  dead: 'dead letter',
  drop: 'drop',
  parked: 'parked',
}

/** `audit: ok` or what is wrong, in one line. */
export const verdictLine = (report: AuditReport): string => {
  const { lost, double, foreign, mismatch, order, notProvable } = report
  const faults = [
    [lost, 'lost'],
    [double, 'doubled'],
    [foreign, 'foreign'],
    [mismatch, 'mismatched'],
    [order, 'out of order'],
  ] as const
  const wrong = faults.flatMap(([count, name]) =>
    count > 0 ? [`${count.toLocaleString('en-US')} ${name}`] : [],
  )
  const unsaid = notProvable.length > 0 ? ` (${notProvable.length} not provable)` : ''
  return `audit: ${report.ok ? 'ok' : wrong.join(', ')}${unsaid}`
}

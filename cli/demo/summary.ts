/** What the demo says at its end, as data and as text. Pure. */
import type { Shown } from '../../pipelines/api/aggregates.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import type { CombinedWindow } from '../insights.ts'
import { count } from '../output.ts'
import { totalLines } from '../totals.ts'

export interface Outcomes {
  /** Done records; without an output topic they are only counted. */
  readonly outputs: number
  readonly dead: number
  readonly dropped: number
  readonly parked: number
  readonly late: number
}

export interface AuditVerdict {
  readonly ok: boolean
  readonly lost: number
  readonly double: number
  readonly mismatch: number
}

export interface Summary extends Outcomes {
  readonly produced: number
  readonly audit: AuditVerdict
  /** Over all windows; what was counted by hour also as `busiest_hour`. */
  readonly aggregates: Readonly<Record<string, Shown>>
  readonly seconds: number
}

export const summaryLines = (
  summary: Summary,
  { topics, aggregates = {} }: AnyPipeline,
  windows: readonly CombinedWindow[],
): string[] => {
  const done = topics.output === undefined ? 'done' : 'outputs'
  const { produced, outputs, dead, dropped, parked, late, seconds } = summary
  return [
    `${count(produced)} records in ${seconds.toFixed(1)} s: ${count(outputs)} ${done}, ${count(dead)} dead letters, ${count(dropped)} drops, ${count(parked)} parked, ${count(late)} late`,
    ...totalLines(aggregates, windows),
    verdictLine(summary.audit),
  ]
}

const verdictLine = ({ ok, lost, double, mismatch }: AuditVerdict): string =>
  ok
    ? 'audit: ok, every input record has exactly one fate (lost 0, double 0, mismatch 0)'
    : `audit: FAILED, lost ${lost}, double ${double}, mismatch ${mismatch}`

/** What the demo says at its end, as data and as text. Pure. */
import {
  type Aggregate,
  type Aggregates,
  type Counts,
  finalize,
  isCounts,
  merge,
  type Shown,
  topN,
  type Value,
} from '../../pipelines/api/aggregates.ts'
import type { CombinedWindow } from '../insights.ts'
import { count } from '../output.ts'

export interface Outcomes {
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

/** Each aggregate over all of its windows. */
export const overall = (
  aggregates: Aggregates,
  windows: readonly CombinedWindow[],
): ReadonlyMap<string, Value> => {
  const sums = new Map<string, Value>()
  for (const { values } of windows) {
    for (const [name, value] of values) {
      const aggregate = aggregates[name]
      const sum = sums.get(name)
      if (aggregate !== undefined) sums.set(name, sum === undefined ? value : merge(aggregate, sum, value))
    }
  }
  return sums
}

export interface BusiestHour {
  /** Epoch ms. */
  readonly start: number
  readonly records: number
}

/** By the first aggregate that counts records by window; undefined where there is none. The earliest of equals. */
export const busiestHour = (
  aggregates: Aggregates,
  windows: readonly CombinedWindow[],
): BusiestHour | undefined => {
  const counting = Object.entries(aggregates).find(
    ([, aggregate]) => aggregate.fold === 'count' && aggregate.span === 'window',
  )
  if (counting === undefined) return undefined
  const counted = windows.flatMap(({ start, values }) => {
    const records = values.get(counting[0])
    return typeof records === 'number' ? [{ start, records }] : []
  })
  return counted.sort((a, b) => b.records - a.records || a.start - b.start)[0]
}

const hourOf = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')

export const shownAggregates = (
  aggregates: Aggregates,
  windows: readonly CombinedWindow[],
): Readonly<Record<string, Shown>> => {
  const shown: Record<string, Shown> = {}
  for (const [name, value] of overall(aggregates, windows)) {
    const aggregate = aggregates[name]
    if (aggregate !== undefined) shown[name] = finalize(aggregate, value)
  }
  const busiest = busiestHour(aggregates, windows)
  return busiest === undefined
    ? shown
    : { ...shown, busiest_hour: { [`${hourOf(busiest.start)} UTC`]: busiest.records } }
}

const listed = (pairs: readonly (readonly [string, number])[]): string =>
  pairs.map(([label, n]) => `${label} ${count(n)}`).join(', ')

/** Lists of so few labels are shown whole. */
const FEW = 12

export const summaryLines = (
  summary: Summary,
  aggregates: Aggregates,
  windows: readonly CombinedWindow[],
): string[] => {
  const { produced, outputs, dead, dropped, parked, late, seconds } = summary
  const folded = [...overall(aggregates, windows)].flatMap(([name, value]) => {
    const aggregate = aggregates[name]
    if (isCounts(value)) return countsLines(name, value, mostShown(aggregate))
    return aggregate === undefined ? [] : [`  ${name}: ${numberText(finalize(aggregate, value))}`]
  })
  const busiest = busiestHour(aggregates, windows)
  return [
    `${count(produced)} records in ${seconds.toFixed(1)} s: ${count(outputs)} outputs, ${count(dead)} dead letters, ${count(dropped)} drops, ${count(parked)} parked, ${count(late)} late`,
    ...folded,
    ...(busiest === undefined
      ? []
      : [`  busiest hour: ${hourOf(busiest.start)} UTC, ${count(busiest.records)} records`]),
    verdictLine(summary.audit),
  ]
}

/** Device types are few, so two tell; of others three. */
const mostShown = (aggregate: Aggregate | undefined): number =>
  aggregate?.fold === 'countBy' && aggregate.field === 'device_type' ? 2 : 3

const numberText = (shown: Shown): string => (typeof shown === 'number' ? count(Math.round(shown)) : '-')

const countsLines = (name: string, value: Counts, most: number): string[] => {
  const all = topN(value, Number.POSITIVE_INFINITY)
  const top = `  ${name}, top ${most}: ${listed(all.slice(0, most))}`
  return all.length <= FEW && all.length > 1 ? [`  ${name}: ${listed(all)}`, top] : [top]
}

const verdictLine = ({ ok, lost, double, mismatch }: AuditVerdict): string =>
  ok
    ? 'audit: ok, every input record has exactly one fate (lost 0, double 0, mismatch 0)'
    : `audit: FAILED, lost ${lost}, double ${double}, mismatch ${mismatch}`

/** Aggregates in a few lines, as a demo and a run show them at their end. Pure. */

import { printableText } from '../cluster/printable.ts'
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
} from '../pipelines/api/aggregates.ts'
import { type CombinedWindow, topOf } from './insights.ts'
import { count } from './output.ts'

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
  pairs.map(([label, n]) => `${printableText(label)} ${count(n)}`).join(', ')

/** A line or two for each aggregate, over all of its windows. */
export const totalLines = (aggregates: Aggregates, windows: readonly CombinedWindow[]): readonly string[] => {
  const topped = Object.values(aggregates).flatMap((one) => (topOf(one) === undefined ? [] : fieldOf(one)))
  const folded = [...overall(aggregates, windows)].flatMap(([name, value]) => {
    const aggregate = aggregates[name]
    if (aggregate === undefined) return []
    if (isCounts(value)) return countsLines(name, value, aggregate, topped.includes(fieldOf(aggregate)))
    return [`  ${name}: ${numberText(finalize(aggregate, value))}`]
  })
  const busiest = busiestHour(aggregates, windows)
  if (busiest === undefined) return folded
  return [...folded, `  busiest hour: ${hourOf(busiest.start)} UTC, ${count(busiest.records)} records`]
}

/** Lists of so few labels are shown whole. */
const FEW = 12

/** Device types are few, so two tell; of others three. */
const mostShown = (aggregate: Aggregate): number =>
  aggregate.fold === 'countBy' && aggregate.field === 'device_type' ? 2 : 3

const numberText = (shown: Shown): string => (typeof shown === 'number' ? count(Math.round(shown)) : '-')

const fieldOf = (aggregate: Aggregate): string => ('field' in aggregate ? aggregate.field : '')

/** @param topped the pipeline has a top list of the same field: a short list needs no other */
const countsLines = (
  name: string,
  value: Counts,
  aggregate: Aggregate,
  topped: boolean,
): readonly string[] => {
  const all = topN(value, Number.POSITIVE_INFINITY)
  const asked = topOf(aggregate)
  const most = asked ?? mostShown(aggregate)
  const top = `  ${name}, top ${most}: ${listed(all.slice(0, most))}`
  if (asked !== undefined || all.length > FEW || all.length < 2) return [top]
  return [`  ${name}: ${listed(all)}`, ...(topped ? [] : [top])]
}

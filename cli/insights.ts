/** The aggregates of all slots: their parts from Redis, combined by the pipeline's own algebra. */
import { combineWindow, type WindowParts } from '../cluster/redis/views-read.ts'
import {
  type Aggregate,
  type Aggregates,
  decode,
  emptyValue,
  finalize,
  isCounts,
  merge,
  type Shown,
  topN,
  type Value,
} from '../pipelines/api/aggregates.ts'

export interface CombinedWindow {
  /** Width in ms; undefined for what is counted since the pipeline began. */
  readonly size: number | undefined
  /** Epoch ms. */
  readonly start: number
  readonly values: ReadonlyMap<string, Value>
}

/** Parts of an aggregate that the pipeline does not declare (any more) are left out. */
export const combine = (aggregates: Aggregates, windows: readonly WindowParts[]): readonly CombinedWindow[] =>
  windows.map((window) => {
    const { aggregates: combined } = combineWindow(window, (name, parts) => mergeAll(aggregates[name], parts))
    const size = window.size === 'total' ? undefined : Number(window.size)
    return { size, start: window.start, values: new Map(Object.entries(combined) as [string, Value][]) }
  })

const mergeAll = (aggregate: Aggregate | undefined, parts: readonly unknown[]): Value | undefined =>
  aggregate &&
  parts.reduce<Value>((sum, part) => merge(aggregate, sum, decode(aggregate, part)), emptyValue(aggregate))

export interface InsightJson {
  readonly from: string | null
  readonly to: string | null
  readonly aggregates: Readonly<Record<string, Shown>>
}

const iso = (ms: number): string => new Date(ms).toISOString()

export const insightJson = (
  aggregates: Aggregates,
  { size, start, values }: CombinedWindow,
): InsightJson => ({
  from: size === undefined ? null : iso(start),
  to: size === undefined ? null : iso(start + size),
  aggregates: Object.fromEntries(
    [...values].flatMap(([name, value]) => {
      const aggregate = aggregates[name]
      return aggregate === undefined ? [] : [[name, finalize(aggregate, value)]]
    }),
  ),
})

/** What stands on one line, or a list of labels with their counts, the most frequent first. */
export type Block =
  | {
      readonly block: 'number'
      readonly name: string
      readonly value: number | null
      readonly estimate: boolean
    }
  | {
      readonly block: 'counts'
      readonly name: string
      readonly rows: readonly (readonly [label: string, count: number])[]
      /** Labels that are not shown. */
      readonly more: number
      readonly total: number
    }

export const blocksOf = (aggregates: Aggregates, window: CombinedWindow, most: number): readonly Block[] =>
  [...window.values].flatMap(([name, value]): Block[] => {
    const aggregate = aggregates[name]
    if (aggregate === undefined) return []
    if (isCounts(value)) return [countsBlock(name, value, most)]
    const shown = finalize(aggregate, value)
    const number = typeof shown === 'number' ? shown : null
    return [{ block: 'number', name, value: number, estimate: aggregate.fold === 'distinct' }]
  })

const countsBlock = (name: string, value: Parameters<typeof topN>[0], most: number): Block => ({
  block: 'counts',
  name,
  rows: topN(value, most),
  more: Math.max(0, value.labels.length - most) + (value.other > 0 ? 1 : 0),
  total: value.counts.reduce((sum, count) => sum + count, value.other),
})

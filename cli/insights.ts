/** The aggregates of all slots: their parts from Redis, combined by the pipeline's own algebra. */
import type { Redis } from 'ioredis'
import { keysOf } from '../cluster/redis/keys.ts'
import { combineWindow, viewReader, type WindowParts } from '../cluster/redis/views-read.ts'
import type { Settings } from '../cluster/settings.ts'
import {
  type Aggregate,
  type Aggregates,
  type Counts,
  decode,
  emptyValue,
  finalize,
  isCounts,
  merge,
  type Shown,
  topN,
  type Value,
} from '../pipelines/api/aggregates.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'

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

/** All windows of a pipeline, or of what it was run as. @throws where Redis is away */
export const windowsOf = async (
  redis: Redis,
  settings: Settings,
  { aggregates = {}, name: own }: AnyPipeline,
  name = own,
): Promise<readonly CombinedWindow[]> =>
  combine(aggregates, await viewReader(redis, keysOf(settings.clusterId)).parts(name))

const mergeAll = (aggregate: Aggregate | undefined, parts: readonly unknown[]): Value | undefined =>
  aggregate &&
  parts.reduce<Value>((sum, part) => merge(aggregate, sum, decode(aggregate, part)), emptyValue(aggregate))

export interface InsightJson {
  readonly from: string | null
  readonly to: string | null
  readonly aggregates: Readonly<Record<string, Shown>>
  /** On the totals of a pipeline with insights by count: records in unfilled batches. */
  readonly waiting?: number
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

/** @param waiting undefined where there are no insights by count, or no worker to tell */
export const insightsJson = (
  aggregates: Aggregates,
  windows: readonly CombinedWindow[],
  waiting: number | undefined,
): readonly InsightJson[] => {
  const data = windows.map((window) => insightJson(aggregates, window))
  if (waiting === undefined) return data
  const isTotal = ({ from }: InsightJson) => from === null
  const totals = data.find(isTotal) ?? { from: null, to: null, aggregates: {} }
  return [...data.filter((one) => !isTotal(one)), { ...totals, waiting }]
}

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
    if (isCounts(value)) return [countsBlock(name, value, most, aggregate)]
    const shown = finalize(aggregate, value)
    const number = typeof shown === 'number' ? shown : null
    return [{ block: 'number', name, value: number, estimate: aggregate.fold === 'distinct' }]
  })

/** Where the pipeline itself says how many labels are shown, no more are. */
const countsBlock = (name: string, value: Counts, most: number, aggregate: Aggregate): Block => {
  const asked = topOf(aggregate)
  const shown = Math.min(most, asked ?? most)
  return {
    block: 'counts',
    name: asked === undefined ? name : `${name}, top ${asked}`,
    rows: topN(value, shown),
    more: asked === undefined ? Math.max(0, value.labels.length - shown) + (value.other > 0 ? 1 : 0) : 0,
    total: value.counts.reduce((sum, count) => sum + count, value.other),
  }
}

/** How many labels the pipeline itself wants shown. */
export const topOf = (aggregate: Aggregate): number | undefined =>
  'top' in aggregate ? aggregate.top : undefined

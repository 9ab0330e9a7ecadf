/** Insights by count in the ledger: their record of the state, restored and written. Pure. */
import type { InsightsState } from '../cluster/protocol/state.ts'
import { type Aggregates, decode, encode, type Value } from '../pipelines/api/aggregates.ts'
import {
  type Batch,
  type BatchRules,
  countRows,
  NO_REST,
  type Rest,
  type Row,
} from '../pipelines/api/batches.ts'
import { hashOf } from './definitions.ts'

export interface Batches extends Rest {
  /** Done records before the first that was folded. */
  readonly since: number
  /** The last order to flush that was carried out. */
  readonly flushed: string | undefined
}

/** @param stored the record of the state; null where there is none */
export const restoreBatches = (aggregates: Aggregates, stored: unknown): Batches | undefined => {
  if (stored === null || stored === undefined) return undefined
  const { records, published, total, since, values, flushed } = stored as InsightsState
  const held = Object.entries(values).flatMap(([name, { hash, value }]): [string, Value][] => {
    const aggregate = aggregates[name]
    return aggregate === undefined || hash !== hashOf(aggregate) ? [] : [[name, decode(aggregate, value)]]
  })
  return { records, published, total, since, flushed, values: new Map(held) }
}

export const batchesRecord = (aggregates: Aggregates, batches: Batches): InsightsState => {
  const { records, published, total, since, flushed } = batches
  const values = [...batches.values].flatMap(([name, value]) => {
    const aggregate = aggregates[name]
    return aggregate === undefined
      ? []
      : [[name, { hash: hashOf(aggregate), value: encode(aggregate, value) }] as const]
  })
  return {
    records,
    published,
    total,
    since,
    values: Object.fromEntries(values),
    ...(flushed === undefined ? {} : { flushed }),
  }
}

/** An order to publish what waits; each is carried out once a slot. */
export interface Flush {
  readonly id: string
}

export interface BatchStep {
  readonly batches: Batches
  /** What the rows add to the counted totals, by name. */
  readonly totals: ReadonlyMap<string, Value>
  readonly published: readonly Batch[]
}

export interface BatchContext {
  readonly slot: number
  /** Epoch ms. */
  readonly now: number
  /** Done records of the slot before these. */
  readonly done: number
  readonly before: (aggregate: string) => Value | undefined
  readonly flush: Flush | undefined
}

/** Undefined where nothing changes. @throws whatever the pipeline's `messages` throws */
export const stepBatches = (
  rules: BatchRules,
  before: Batches | undefined,
  rows: readonly Row[],
  context: BatchContext,
): BatchStep | undefined => {
  const { slot, now, done, flush } = context
  const batches = before ?? { ...NO_REST, since: done, flushed: undefined }
  const isOrdered = flush !== undefined && flush.id !== batches.flushed
  if (rows.length === 0 && !isOrdered) return undefined
  const counted = countRows(rules, rows, {
    rest: batches,
    before: context.before,
    slot,
    now,
    flush: isOrdered,
  })
  const flushed = isOrdered ? flush.id : batches.flushed
  return {
    batches: { ...counted.rest, since: batches.since, flushed },
    totals: counted.totals,
    published: counted.batches,
  }
}

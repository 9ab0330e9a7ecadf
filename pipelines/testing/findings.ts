/** What outcomes come to: aggregates and insights, folded and counted by the code of threads and ledger. */
import {
  type Aggregate,
  type Aggregates,
  emptyValue,
  finalize,
  type Shown,
  type Value,
} from '../api/aggregates.ts'
import { batchRules, countRows, NO_REST, type Row, rowFields, rowOf } from '../api/batches.ts'
import type { Input, JsonObject } from '../api/define.ts'
import { errorClassOf, eventTimeOf, type Prepared, type Result } from '../api/execute.ts'
import { figuresOf } from '../api/figures.ts'
import type { WindowPart } from '../api/folder.ts'

export type ShownAggregates = Readonly<Record<string, Shown | Readonly<Record<string, Shown>>>>

export interface Findings {
  /**
   * As people see them: of a total its figure, of windows the figures by their start (`2026-03-01T12:00:00.000Z`), the
   * earliest first. Errors are those of dead records; one that is tried again may still pass.
   */
  readonly aggregates: ShownAggregates
  /** Messages of insights by count, in the order in which they are published. */
  readonly insights: readonly JsonObject[]
  /** Done records of the batch of insights that is not full. */
  readonly rest: number
  /** What the leading coordinator would publish now. */
  readonly clusterInsights: readonly { readonly key: string; readonly value: JsonObject }[]
}

export interface Settled {
  readonly input: Input
  readonly result: Result
}

interface Circumstances {
  readonly options: JsonObject
  readonly now: number
  readonly flush: boolean
}

/** @throws whatever the pipeline's `messages` throw, and where `insights.each` comes to no number */
export const findingsOf = (
  prepared: Prepared,
  settled: readonly Settled[],
  { options, now, flush }: Circumstances,
): Findings => {
  const { pipeline } = prepared
  const { aggregates = {}, clusterInsights } = pipeline
  const { windows, rows } = folded(prepared, settled, now)
  const rules = batchRules(pipeline, options)
  const before = () => undefined
  const counted = rules && countRows(rules, rows, { rest: NO_REST, before, slot: 0, now, flush })
  const totals = new Map([...totalsOf(aggregates, windows), ...(counted?.totals ?? [])])
  return {
    aggregates: shown(aggregates, windows, totals),
    insights: counted?.batches.flatMap(({ messages }) => messages) ?? [],
    rest: counted?.rest.records ?? 0,
    clusterInsights: clusterInsights?.messages(figuresOf(aggregates, totals)) ?? [],
  }
}

const folded = (prepared: Prepared, settled: readonly Settled[], now: number) => {
  const { pipeline } = prepared
  const folder = prepared.folder({ watermark: 0, now })
  const fields = rowFields(pipeline)
  const rows: Row[] = []
  for (const { input, result } of settled) {
    if (result.outcome === 'done') {
      folder.add(result.value, eventTimeOf(pipeline, result.value, input.timestamp))
      if (fields !== undefined) rows.push(rowOf(result.value, fields))
    } else if (result.outcome === 'dead') folder.error(errorClassOf(pipeline, result.code))
  }
  return { windows: folder.take().windows, rows }
}

/** A folder hands over one part per aggregate and window. */
const totalsOf = (aggregates: Aggregates, windows: readonly WindowPart[]): [string, Value][] =>
  windows.flatMap(({ aggregate, value }) =>
    aggregates[aggregate]?.span === 'total' ? [[aggregate, value]] : [],
  )

/** `batch` aggregates are seen in insights alone. */
const shown = (
  aggregates: Aggregates,
  windows: readonly WindowPart[],
  totals: ReadonlyMap<string, Value>,
): ShownAggregates => {
  const all: Record<string, ShownAggregates[string]> = {}
  for (const [name, aggregate] of Object.entries(aggregates)) {
    if (aggregate.span === 'total') all[name] = finalize(aggregate, totals.get(name) ?? emptyValue(aggregate))
    const parts = windows.filter((window) => window.aggregate === name)
    if (aggregate.span === 'window') all[name] = byStart(aggregate, parts)
  }
  return all
}

const byStart = (aggregate: Aggregate, parts: readonly WindowPart[]): Readonly<Record<string, Shown>> =>
  Object.fromEntries(
    parts
      .toSorted((a, b) => a.start - b.start)
      .map(({ start, value }) => [new Date(start).toISOString(), finalize(aggregate, value)]),
  )

/**
 * Insights by count: done records are folded one by one in the order of the commits, and cut into batches of `each`. Pure.
 *
 * Laws: every row is in exactly one batch; batches are numbered from 0 without a gap; `total` aggregates stand, at each
 * batch, as they did at the record that filled it; what does not fill a batch is the rest, and goes on with the next rows.
 */
import { MillraceError } from '../../cluster/errors.ts'
import { type Aggregates, cellOf, emptyValue, merge, type Value } from './aggregates.ts'
import type { AnyPipeline, JsonObject } from './define.ts'
import { figuresOf } from './figures.ts'
import { countedAggregates } from './folder.ts'
import { plainOf } from './folds/field.ts'

/** What of a done record the counted aggregates read; survives a structured clone. */
export type Row = JsonObject

/** Since the last publication, and how many there were. */
export interface Rest {
  /** Rows of the unfilled batch. */
  readonly records: number
  /** Batches published so far: the number of the next. */
  readonly published: number
  /** Rows ever folded: those of all batches and of the rest. */
  readonly total: number
  /** Of the `batch` aggregates, by name. */
  readonly values: ReadonlyMap<string, Value>
}

export const NO_REST: Rest = { records: 0, published: 0, total: 0, values: new Map() }

export interface Batch {
  readonly number: number
  readonly records: number
  readonly messages: readonly JsonObject[]
}

export interface BatchRules {
  /** Every aggregate of the pipeline: figures may show those that are not counted here as well. */
  readonly aggregates: Aggregates
  readonly counted: Aggregates
  readonly each: number
  readonly messages: NonNullable<AnyPipeline['insights']>['messages']
}

/** Undefined for a pipeline without insights by count. @throws MillraceError `settings` where `each` comes to no whole number above 0 */
export const batchRules = (pipeline: AnyPipeline, options: JsonObject): BatchRules | undefined => {
  const { insights, aggregates = {} } = pipeline
  if (insights === undefined) return undefined
  const each = typeof insights.each === 'number' ? insights.each : insights.each(options)
  if (!Number.isSafeInteger(each) || each < 1)
    throw new MillraceError('settings', `${pipeline.name}: insights.each came to ${each}`, {
      remedy: 'it must be a whole number above 0: see the options of the pipeline',
    })
  const messages = insights.messages.bind(insights)
  return { aggregates, counted: countedAggregates(pipeline), each, messages }
}

/** The fields that rows need; undefined where nothing is counted. */
export const rowFields = (pipeline: AnyPipeline): readonly string[] | undefined =>
  pipeline.insights && [
    ...new Set(
      Object.values(countedAggregates(pipeline)).flatMap((one) => ('field' in one ? [one.field] : [])),
    ),
  ]

export const rowOf = (value: JsonObject, fields: readonly string[]): Row => {
  const row: JsonObject = {}
  for (const field of fields) {
    const plain = plainOf(value[field])
    if (plain !== undefined) row[field] = plain
  }
  return row
}

export interface Counted {
  readonly rest: Rest
  /** Of the counted `total` aggregates, by name: what these rows add. */
  readonly totals: ReadonlyMap<string, Value>
  readonly batches: readonly Batch[]
}

export interface Counting {
  readonly rest: Rest
  /** Value of an aggregate over everything before these rows. */
  readonly before: (aggregate: string) => Value | undefined
  readonly slot: number
  /** Epoch ms. */
  readonly now: number
  /** The rest is published too, however few its rows are. */
  readonly flush: boolean
}

/** @throws whatever the pipeline's `messages` throws */
export const countRows = (rules: BatchRules, rows: readonly Row[], counting: Counting): Counted => {
  const totals = new Map<string, Value>()
  const batches: Batch[] = []
  let { rest } = counting
  let at = 0
  while (at < rows.length || (counting.flush && rest.records > 0)) {
    // More than `each` may wait where it was lowered since: then the next row publishes them.
    const taken = rows.slice(at, at + Math.max(1, rules.each - rest.records))
    at += taken.length
    rest = folded(rules, rest, totals, taken)
    if (rest.records < rules.each && !(counting.flush && at >= rows.length)) continue
    const moment = { slot: counting.slot, records: rest.records, now: counting.now }
    batches.push({
      number: rest.published,
      records: rest.records,
      messages: say(rules, rest, totals, counting, moment),
    })
    rest = { ...rest, records: 0, published: rest.published + 1, values: new Map() }
  }
  return { rest, totals, batches }
}

const folded = (rules: BatchRules, rest: Rest, totals: Map<string, Value>, rows: readonly Row[]): Rest => {
  const values = new Map(rest.values)
  for (const [name, aggregate] of Object.entries(rules.counted)) {
    const cell = cellOf(aggregate)
    for (const row of rows) cell.add(row)
    const into = aggregate.span === 'batch' ? values : totals
    into.set(name, merge(aggregate, into.get(name) ?? emptyValue(aggregate), cell.value()))
  }
  return { ...rest, records: rest.records + rows.length, total: rest.total + rows.length, values }
}

const say = (
  { aggregates, messages }: BatchRules,
  rest: Rest,
  totals: ReadonlyMap<string, Value>,
  { before }: Counting,
  moment: Parameters<BatchRules['messages']>[1],
): readonly JsonObject[] => {
  const values = new Map<string, Value>()
  for (const [name, aggregate] of Object.entries(aggregates)) {
    const now = rest.values.get(name) ?? totals.get(name)
    const earlier = aggregate.span === 'batch' ? undefined : before(name)
    if (now === undefined || earlier === undefined) {
      const only = now ?? earlier
      if (only !== undefined) values.set(name, only)
    } else values.set(name, merge(aggregate, earlier, now))
  }
  const said = messages(figuresOf(aggregates, values), moment)
  // A batch that leaves no trace would look lost.
  if (said.length === 0)
    throw new Error('insights.messages returned no message: a batch comes to one at least')
  return said
}

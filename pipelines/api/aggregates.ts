/**
 * Aggregates: what a pipeline declares, and the algebra of their values. Values are absolute, merge is associative and
 * commutative (but for the order in which labels were first seen), so that parts of threads, slots and replays combine.
 * They are folded over the final output value, after the masks: an audit recounts them from the output topic.
 */
import { createHash } from 'node:crypto'
import { count } from './folds/count.ts'
import { type Counts, countBy, LABEL_CAP, topN } from './folds/count-by.ts'
import { distinct } from './folds/distinct.ts'
import { extreme } from './folds/extreme.ts'
import type { Algebra, Cell, Shown, Value } from './folds/fold.ts'
import { sum } from './folds/sum.ts'

export { type Counts, entriesOf, LABEL_CAP, OTHER, topN } from './folds/count-by.ts'
export { DISTINCT_ERROR } from './folds/distinct.ts'
export { MISSING } from './folds/field.ts'
export type { Shown, Value } from './folds/fold.ts'

export type Fold =
  | { readonly fold: 'count' }
  /**
   * Counts by the text of an output field; missing counts as `(none)`. At most `cap` labels, the rest `(other)`. People are
   * shown the `top` most frequent, where it is given.
   */
  | { readonly fold: 'countBy'; readonly field: string; readonly cap: number; readonly top?: number }
  /** Of the numbers in a field; what is no number is left out. Sums are exact, whatever the order. */
  | { readonly fold: 'sum' | 'min' | 'max'; readonly field: string }
  /** HyperLogLog of 2^12 registers: standard error 1.6 %. */
  | { readonly fold: 'distinct'; readonly field: string }
  /** Of dead letters, by the class of their code. Every other fold is of done records. */
  | { readonly fold: 'errors' }

export type Span =
  /** Tumbling window of event time; both in ms. */
  | { readonly span: 'window'; readonly size: number; readonly retention: number }
  | { readonly span: 'total' }
  /** The done records of a slot since its last publication by count (`insights.each`). */
  | { readonly span: 'batch' }

export type Aggregate = Fold & Span
/** By name, as a pipeline declares them. */
export type Aggregates = Readonly<Record<string, Aggregate>>

const HOUR = 3_600_000

/** What a user writes: `hourly.countBy('device_type')`, `total.count()`, `tumbling(60_000, 3_600_000).max('price')`. */
const over = (span: Span) => ({
  count: (): Aggregate => ({ ...span, fold: 'count' }),
  countBy: (field: string, cap = LABEL_CAP): Aggregate => ({ ...span, fold: 'countBy', field, cap }),
  /** Counts by the text of a field, of which the `n` most frequent are shown; ties go to the label seen first. */
  top: (field: string, n: number): Aggregate => ({ ...span, fold: 'countBy', field, cap: LABEL_CAP, top: n }),
  sum: (field: string): Aggregate => ({ ...span, fold: 'sum', field }),
  min: (field: string): Aggregate => ({ ...span, fold: 'min', field }),
  max: (field: string): Aggregate => ({ ...span, fold: 'max', field }),
  distinct: (field: string): Aggregate => ({ ...span, fold: 'distinct', field }),
})

/** Since the pipeline began. */
export const total = {
  ...over({ span: 'total' }),
  /** Dead letters by the class of their code (`errorClass`). */
  errors: (): Aggregate => ({ span: 'total', fold: 'errors' }),
}
/** Of the records that one publication by count is made of. */
export const batch = over({ span: 'batch' })
/** Windows of `size` ms of event time; a window is open to late records until `retention` ms after its end. */
export const tumbling = (size: number, retention: number) => over({ span: 'window', size, retention })
/** Hours of event time (UTC), kept open for 48. */
export const hourly = tumbling(HOUR, 48 * HOUR)

/** The field of what an `errors` cell is given. */
export const ERROR_CLASS = 'class'

const algebraOf = (aggregate: Fold): Algebra<Value> => {
  switch (aggregate.fold) {
    case 'count':
      return count
    case 'countBy':
      return countBy(aggregate.field, aggregate.cap)
    case 'sum':
      return sum(aggregate.field)
    case 'min':
    case 'max':
      return extreme(aggregate.fold, aggregate.field)
    case 'distinct':
      return distinct(aggregate.field)
    case 'errors':
      return countBy(ERROR_CLASS, LABEL_CAP)
  }
}

export const emptyValue = (aggregate: Fold): Value => algebraOf(aggregate).empty
/** Pure; `a` comes first where the order of labels matters. */
export const merge = (aggregate: Fold, a: Value, b: Value): Value => algebraOf(aggregate).merge(a, b)
/** Equal numbers; the order of labels does not count. */
export const equals = (aggregate: Fold, a: Value, b: Value): boolean => algebraOf(aggregate).equals(a, b)
/** The JSON of a state record. */
export const encode = (aggregate: Fold, value: Value): unknown => algebraOf(aggregate).encode(value)
/** @throws where the JSON is not of this fold. */
export const decode = (aggregate: Fold, json: unknown): Value => algebraOf(aggregate).decode(json)
/** What people see: a number, an estimate, or counts by label. */
export const finalize = (aggregate: Fold, value: Value): Shown =>
  'top' in aggregate && aggregate.top !== undefined && isCounts(value)
    ? Object.fromEntries(topN(value, aggregate.top))
    : algebraOf(aggregate).show(value)
export const cellOf = (aggregate: Fold): Cell => algebraOf(aggregate).cell()

/** Narrows for `topN` and `entriesOf`. */
export const isCounts = (value: Value): value is Counts =>
  typeof value === 'object' && value !== null && 'labels' in value

/** The `<size>` of a state key: a width in ms, or `total`. Batches have no key of their own. */
export const sizeOf = (span: Span): string => (span.span === 'window' ? String(span.size) : span.span)

const FOLD_FORMAT = 1
/**
 * A changed definition starts new windows. Retention is no part of it: it decides how long windows live, not what they hold.
 */
export const definitionHash = (aggregate: Aggregate): string => {
  const field = 'field' in aggregate ? aggregate.field : ''
  const cap = aggregate.fold === 'countBy' ? aggregate.cap : 0
  const definition = JSON.stringify([FOLD_FORMAT, aggregate.fold, field, cap, sizeOf(aggregate)])
  return createHash('sha256').update(definition).digest('hex').slice(0, 12)
}

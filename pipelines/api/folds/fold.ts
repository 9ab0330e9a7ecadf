/**
 * What every fold is made of: the algebra of its values and a cell that folds records.
 *
 * Laws (held by test/pipelines/aggregates.test.ts):
 * - merge is pure, associative and commutative, `empty` is its identity; only the order of labels depends on the order of merging;
 * - folding a sequence equals folding its pieces, however it is cut, and merging them;
 * - decode(encode(v)) equals v.
 */
import type { JsonObject } from '../define.ts'
import type { Counts } from './count-by.ts'

/** Opaque to callers: only the algebra of its own aggregate reads it. Survives a structured clone; `encode` makes it JSON. */
export type Value = number | null | readonly number[] | Counts | Uint8Array

/** What people see. */
export type Shown = number | null | Readonly<Record<string, number>>

export interface Cell {
  add(record: JsonObject): void
  /** A snapshot; the cell may go on. */
  value(): Value
}

export interface Algebra<V extends Value> {
  readonly empty: V
  merge(a: V, b: V): V
  equals(a: V, b: V): boolean
  encode(value: V): unknown
  /** @throws where the JSON is not of this fold. */
  decode(json: unknown): V
  show(value: V): Shown
  cell(): Cell
}

export const malformed = (fold: string): Error => new Error(`not an encoded ${fold}`)

/** What differs from what it must be, by where it was found. Pure. */
import type { Counters } from '../cluster/protocol/state.ts'
import type { FateVerdict } from './fate-book.ts'
import type { WindowMismatch } from './window-table.ts'

export interface CountersMismatch {
  readonly where: 'counters'
  readonly partition: number
  readonly expected: Counters
  readonly found: Counters
}
/** An output whose value is no JSON object. */
export interface OutputMismatch {
  readonly where: 'outputs'
  readonly partition: number
  readonly offset: number
}
/** A done record of a pipeline without outputs, which comes out otherwise when the audit runs it again. */
export interface RerunMismatch {
  readonly where: 'recount'
  readonly partition: number
  readonly offset: number
  readonly expected: 'done'
  /** Outcome and code, such as `dead not-json`. */
  readonly found: string
}
/** Insights by count: batches that are not there once, or numbers of records that do not add up. */
export interface InsightsMismatch {
  readonly where: 'insights'
  readonly slot: number
  /** What is counted: `batch 3`, `batches 3-7`, `records of the batches`, `done records`. */
  readonly of: string
  readonly expected: number
  readonly found: number
}
/** Redis holds a slot's parts of another state topic. */
export interface TopicMismatch {
  readonly where: 'redis'
  readonly slot: number
  readonly expected: string
  readonly found: string
}
export type Mismatch =
  | CountersMismatch
  | OutputMismatch
  | RerunMismatch
  | InsightsMismatch
  | TopicMismatch
  | WindowMismatch

/** Counters against fates; nothing where they agree. */
export const compareCounters = (
  partition: number,
  found: Counters,
  { counts, late }: FateVerdict,
): readonly CountersMismatch[] => {
  const { output: done, dead, drop: dropped, parked } = counts
  const expected: Counters = { done, dead, dropped, late, parked }
  const agree =
    found.done === done &&
    found.dead === dead &&
    found.dropped === dropped &&
    found.late === late &&
    found.parked === parked
  return agree ? [] : [{ where: 'counters', partition, expected, found }]
}

/**
 * The drops topic (partition = slot): offsets that left no record elsewhere, as ranges, one record a range. Mostly dropped
 * ones with their code; where a pipeline has no output topic, also those that were done.
 */
export interface DropRange {
  readonly partition: number
  /** First and last offset, both inclusive. */
  readonly from: number
  readonly to: number
  /** Of a drop; `done` where `fate` says so. */
  readonly code: string
  readonly fate?: 'done'
  /** Windowed aggregates that left these done records out; absent: none did. */
  readonly late?: readonly string[]
  /** Runs it took, where more than one: a retried record stands out of order. */
  readonly attempts?: number
}

/**
 * The records of the state topic (partition = slot), protocol P1. Keys are text; values are JSON.
 * Every value is absolute: the last record of a key is the truth, so compaction loses nothing.
 */
export const STATE_FORMAT = 1

/** By aggregate: the hash of its definition, and the input offsets by partition since which it is counted (absent: from the first). */
export type Definitions = Readonly<
  Record<string, { readonly hash: string; readonly since: Readonly<Record<string, number>> }>
>

/** Fixed at birth, but for the definitions; a mismatch with the topics halts the shard by name. */
export interface Meta {
  readonly format: number
  /** The Millrace that wrote it: what to install where this one cannot read the format. */
  readonly millrace: string
  readonly slots: number
  readonly inputClusterId: string
  readonly inputTopicId: string
  /** `same`: the input's partition number; `key`: murmur2 of the key; `none`: no output topic. */
  readonly outputMapping: 'same' | 'key' | 'none'
  readonly definitions: Definitions
}

export interface Claim {
  readonly epoch: number
  readonly worker: string
  /** Unique per takeover: everything in flight carries it. */
  readonly claimId: string
}

/** Counters are absolute, since the pipeline began on this partition. */
export interface Counters {
  readonly done: number
  readonly dead: number
  readonly dropped: number
  readonly late: number
  readonly parked: number
}

export interface Position {
  /** Next input offset. */
  readonly next: number
  /** Where the first position was set: the audit's lower bound. */
  readonly first: number
  readonly topicId: string
  /** Leader epoch of the last batch read; -1 where none was. */
  readonly leaderEpoch: number
  /** Next offset of `retried`: the highest of a slot's positions counts. */
  readonly retried: number
  readonly counters: Counters
  /** Event-time watermark in epoch ms: min(max event time, wall clock), never falls. Windows ending `retention` before it are closed to late records. */
  readonly watermark: number
}

/** One aggregate in one window of one slot. `value` is what `pipelines/api/aggregates` encodes. */
export interface WindowState {
  readonly hash: string
  readonly value: unknown
}

/** Insights by count of one slot: the batch that is not full yet, and how many were published. */
export interface InsightsState {
  /** Done records in the unfilled batch. */
  readonly records: number
  /** Batches published: the number of the next. */
  readonly published: number
  /** Done records ever folded: those of all batches and of the unfilled one. */
  readonly total: number
  /** Done records of the slot's counters before the first that was folded: insights may be declared later than the pipeline. */
  readonly since: number
  /** Of the `batch` aggregates; another hash begins anew. */
  readonly values: Readonly<Record<string, WindowState>>
  /** The last order to flush that was carried out. */
  readonly flushed?: string
}

export const stateKey = {
  insights: 'insights',
  meta: 'meta',
  claim: 'claim',
  position: (partition: number) => `position/${partition}`,
  /** `size` is a width in ms, or `total`; `start` epoch ms (0 for a total). */
  window: (aggregate: string, size: string, start: number) => `window/${aggregate}/${size}/${start}`,
  /** A parked record, whole; deleted when it is settled. */
  retry: (partition: number, offset: number) => `retry/${partition}/${offset}`,
  /** Later failed runs of it. */
  tried: (partition: number, offset: number) => `tried/${partition}/${offset}`,
}

export type ParsedStateKey =
  | { readonly kind: 'meta' | 'claim' | 'insights' }
  | { readonly kind: 'position'; readonly partition: number }
  | { readonly kind: 'window'; readonly aggregate: string; readonly size: string; readonly start: number }
  | { readonly kind: 'retry' | 'tried'; readonly partition: number; readonly offset: number }

/** Undefined where the key is of a later format. */
export const parseStateKey = (key: string): ParsedStateKey | undefined => {
  const [kind, a, b, c] = key.split('/')
  if (kind === 'meta' || kind === 'claim' || kind === 'insights') return { kind }
  if (kind === 'position') return { kind, partition: Number(a) }
  if (kind === 'window' && a && b) return { kind, aggregate: a, size: b, start: Number(c) }
  if (kind === 'retry' || kind === 'tried') return { kind, partition: Number(a), offset: Number(b) }
  return undefined
}

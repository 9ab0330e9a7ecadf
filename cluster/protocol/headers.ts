/** Record headers that Millrace writes. Outputs carry ORIGIN (and LATE, ORIGINAL_TIMESTAMP where they apply); dead letters all the rest. */
export const HEADER = {
  /** `topic/partition/offset` of the input record: what the audit counts. */
  origin: 'millrace-origin',
  /** Comma separated names of the windowed aggregates that left this record out as late. */
  late: 'millrace-late',
  /** Epoch ms of the input where the broker would refuse it and it was clamped to the time of writing. */
  originalTimestamp: 'millrace-timestamp',
  pipeline: 'millrace-pipeline',
  /** On insights by count: `slot/number/records` of the batch, numbered from 0 (`formatBatch`). */
  batch: 'millrace-batch',
  errorCode: 'millrace-error-code',
  errorMessage: 'millrace-error-message',
  attempts: 'millrace-attempts',
  failedAt: 'millrace-failed-at',
  /** How often the record was sent again: on the input record, and so on its next letter, among the record's own headers. */
  replays: 'millrace-replays',
  /** On an input record that was sent again: `topic/partition/offset` of the letter it comes from. */
  replayOf: 'millrace-replay-of',
  /** On such a record where its value was mended: by what. */
  repaired: 'millrace-repaired',
  /** On a letter that was too large to carry its record: sha256 of the value, hex. */
  valueSha256: 'millrace-value-sha256',
  /** W3C Trace Context (cluster/trace.ts): which trace the record belongs to, and the span that caused it. */
  traceparent: 'traceparent',
} as const

export interface Origin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export const formatOrigin = (o: Origin): string => `${o.topic}/${o.partition}/${o.offset}`

/** Undefined where the text is not an origin. */
export const parseOrigin = (text: string): Origin | undefined => {
  const match = /^(.+)\/(\d+)\/(\d+)$/.exec(text)
  if (match?.[1] === undefined) return undefined
  return { topic: match[1], partition: Number(match[2]), offset: Number(match[3]) }
}

export interface BatchName {
  readonly slot: number
  readonly number: number
  readonly records: number
}

export const formatBatch = ({ slot, number, records }: BatchName): string => `${slot}/${number}/${records}`

/** Undefined where the text names no batch. */
export const parseBatch = (text: string): BatchName | undefined => {
  const match = /^(\d+)\/(\d+)\/(\d+)$/.exec(text)
  if (match === null) return undefined
  return { slot: Number(match[1]), number: Number(match[2]), records: Number(match[3]) }
}

/**
 * Why a record failed: code, meaning, retriable. One table; docs/record-codes.md is generated from it. The first group comes of
 * running the pipeline, the second of the batch, the thread or the broker around it (workers/). Pipelines add codes of
 * their own with `retry`, `dead` and `drop`.
 */
export interface FailureKind {
  readonly meaning: string
  /** The record is tried again before it becomes a dead letter. */
  readonly retriable: boolean
}

const kinds = {
  tombstone: { meaning: 'the record has no value', retriable: false },
  'too-large': { meaning: 'the value is longer than MILLRACE_MAX_RECORD_BYTES', retriable: false },
  'not-utf8': { meaning: 'the value is not valid UTF-8', retriable: false },
  'too-deep': { meaning: 'objects and arrays are nested more than 256 deep', retriable: false },
  'not-json': {
    meaning: 'the value is not JSON; NaN, Infinity and a byte order mark are not either',
    retriable: false,
  },
  'not-an-object': { meaning: 'the value is JSON but no object', retriable: false },
  'schema:<field>': {
    meaning: "the first field, in the schema's order, that is missing or does not fit the schema",
    retriable: false,
  },
  'process-threw': { meaning: "the pipeline's process step threw", retriable: true },
  'process-timeout': { meaning: "the pipeline's process step was ended by its time limit", retriable: true },
  'mask-threw': { meaning: 'a mask of the pipeline threw', retriable: true },
  'bad-output': {
    meaning: 'what the pipeline returned is no object that JSON can write, or nests too deep',
    retriable: false,
  },
  'batch-corrupt': {
    meaning:
      'the record batch contradicts itself or its checksum: the offset is all that is known of the record',
    retriable: false,
  },
  'batch-magic': { meaning: 'the record batch is of a message format before Kafka 0.11', retriable: false },
  'batch-codec': { meaning: 'the record batch is compressed in an unknown way', retriable: false },
  'batch-too-large': {
    meaning: 'the record batch decompresses beyond MILLRACE_MAX_DECOMPRESSED_BYTES',
    retriable: false,
  },
  'output-too-large': {
    meaning: "the output does not fit the output topic's max.message.bytes",
    retriable: false,
  },
  'output-timestamp-refused': {
    meaning: 'Kafka refuses the timestamp of the output (such as one too far back)',
    retriable: false,
  },
  'output-refused': {
    meaning: 'Kafka refuses the output itself (such as one without a key for a compacted topic)',
    retriable: false,
  },
  'thread-timeout': { meaning: 'the record alone outlasts MILLRACE_TASK_TIMEOUT', retriable: true },
  'thread-out-of-memory': {
    meaning: 'the record alone exhausts the heap of a thread (MILLRACE_THREAD_HEAP_MB)',
    retriable: true,
  },
  'thread-exit': { meaning: 'the pipeline ended its thread on this record', retriable: true },
  'thread-error': {
    meaning: 'the thread failed on this record outside the process step',
    retriable: true,
  },
  'retries-exhausted': {
    meaning: 'its runs were begun and nobody heard of their end (the worker died of it, say); none is left',
    retriable: true,
  },
} as const satisfies Record<string, FailureKind>

export type FailureCode = keyof typeof kinds
export const failureKinds: Readonly<Record<FailureCode, FailureKind>> = kinds
/** Code of a record that as a whole, not in one field, does not fit the schema. */
export const WHOLE_RECORD = '(record)'

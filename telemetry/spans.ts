/**
 * Every span of Millrace and every attribute that one may have, as lists: `docs/metrics.md` is made from them. A span about a
 * record or a batch is named `<operation> <topic>`, as OpenTelemetry's semantic conventions for messaging (1.45) want it;
 * a step inside of one has a name of one word.
 *
 * Law: only these attributes are set; none is a key, a value, a header, an address or an id of a user.
 */
import { SpanKind } from '@opentelemetry/api'
import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions'
import {
  ATTR_KAFKA_OFFSET,
  ATTR_MESSAGING_BATCH_MESSAGE_COUNT,
  ATTR_MESSAGING_CONSUMER_GROUP_NAME,
  ATTR_MESSAGING_DESTINATION_NAME,
  ATTR_MESSAGING_DESTINATION_PARTITION_ID,
  ATTR_MESSAGING_OPERATION_NAME,
  ATTR_MESSAGING_OPERATION_TYPE,
  ATTR_MESSAGING_SYSTEM_NAME,
} from '@opentelemetry/semantic-conventions/incubating'

interface Attribute {
  readonly key: string
  readonly doc: string
}

export const attributes = {
  system: { key: ATTR_MESSAGING_SYSTEM_NAME, doc: '`kafka`' },
  operation: { key: ATTR_MESSAGING_OPERATION_NAME, doc: 'the first word of the name' },
  operationType: { key: ATTR_MESSAGING_OPERATION_TYPE, doc: '`send`, `process` or `settle`' },
  topic: { key: ATTR_MESSAGING_DESTINATION_NAME, doc: 'topic of the record' },
  partition: { key: ATTR_MESSAGING_DESTINATION_PARTITION_ID, doc: 'its partition' },
  offset: { key: ATTR_KAFKA_OFFSET, doc: 'its offset; of a batch, the first' },
  group: { key: ATTR_MESSAGING_CONSUMER_GROUP_NAME, doc: 'the mirrored group `millrace.<pipeline>`' },
  records: { key: ATTR_MESSAGING_BATCH_MESSAGE_COUNT, doc: 'records of the batch' },
  errorType: { key: ATTR_ERROR_TYPE, doc: 'code of what did not succeed' },
  slot: { key: 'millrace.slot', doc: 'the slot' },
  outcome: { key: 'millrace.outcome', doc: '`done`, `dead`, `drop` or `retry`' },
  attempt: { key: 'millrace.attempt', doc: 'number of the run, from 2 on' },
  untraced: {
    key: 'millrace.records.untraced',
    doc: 'sampled records of the batch without spans of their own',
  },
  repairedBy: { key: 'millrace.repaired', doc: 'rules that mended a dead letter' },
} as const satisfies Readonly<Record<string, Attribute>>

export type AttributeName = keyof typeof attributes

interface SpanDefinition {
  readonly kind: SpanKind
  readonly operationType?: 'send' | 'process' | 'settle'
  readonly doc: string
}

export const spans = {
  send: {
    kind: SpanKind.PRODUCER,
    operationType: 'send',
    doc: 'a record is sent into the input by `demo`, `generate` or `send`',
  },
  process: {
    kind: SpanKind.CONSUMER,
    operationType: 'process',
    doc: 'a sampled record, from its fetch to the publication of its aggregates; or a batch with such records (its own trace, with links to them)',
  },
  attempt: {
    kind: SpanKind.CONSUMER,
    operationType: 'process',
    doc: 'a later run of a parked record; child of the `process` that parked it',
  },
  settle: {
    kind: SpanKind.CONSUMER,
    operationType: 'settle',
    doc: 'the shard takes the result of the last run: output or dead letter; child of that `attempt`',
  },
  repair: {
    kind: SpanKind.INTERNAL,
    doc: 'a dead letter is mended by `millrace dlq repair`; child of the span that failed',
  },
  replay: {
    kind: SpanKind.PRODUCER,
    operationType: 'send',
    doc: 'a dead letter is sent into the input again',
  },
  mailbox: { kind: SpanKind.INTERNAL, doc: 'read, waits in the mailbox of its shard' },
  pool: { kind: SpanKind.INTERNAL, doc: 'waits for a thread' },
  run: { kind: SpanKind.INTERNAL, doc: 'runs in a thread: the record itself, of a batch that may have many' },
  ready: { kind: SpanKind.INTERNAL, doc: 'has run, waits for its transaction' },
  commit: { kind: SpanKind.INTERNAL, doc: 'the transaction' },
  publish: { kind: SpanKind.INTERNAL, doc: 'from the commit until Redis has the changed windows' },
} as const satisfies Readonly<Record<string, SpanDefinition>>

export type SpanName = keyof typeof spans

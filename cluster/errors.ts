/**
 * Errors that stop a process or a command: one table, one class. The message a person sees is one line:
 * what is wrong (`detail`), then what to do (`remedy`). Exit codes are stable and documented from here.
 * (What becomes of a record is no error but an outcome: see pipelines/api/outcome.ts.)
 */
export interface ErrorKind {
  readonly exit: number
  readonly meaning: string
  readonly remedy: string
}

const kinds = {
  usage: { exit: 2, meaning: 'wrong arguments', remedy: 'see --help' },
  settings: { exit: 2, meaning: 'a setting is wrong', remedy: 'see docs/settings.md or `millrace settings`' },
  'pipeline-load': {
    exit: 3,
    meaning: 'a pipeline module does not load or is not valid',
    remedy: 'check it with `millrace lint <pipeline>`',
  },
  'pipeline-insights': {
    exit: 3,
    meaning: "a pipeline's insights.messages threw, or returned none",
    remedy: 'mend it and start the workers again: `millrace lint` tries it on empty figures',
  },
  'kafka-unreachable': {
    exit: 4,
    meaning: 'no Kafka broker answers',
    remedy: 'check MILLRACE_KAFKA_BROKERS, or start services with `millrace services up`',
  },
  'kafka-auth': {
    exit: 4,
    meaning: 'Kafka refuses the credentials or an operation',
    remedy: 'check MILLRACE_KAFKA_SASL_* and the ACLs',
  },
  'kafka-too-old': {
    exit: 4,
    meaning: 'the broker lacks server-side transaction verification',
    remedy: 'Apache Kafka 4.0 or newer is needed',
  },
  'redis-unreachable': {
    exit: 5,
    meaning: 'Redis does not answer',
    remedy: 'check MILLRACE_REDIS_URL, or start services with `millrace services up`',
  },
  'redis-auth': { exit: 5, meaning: 'Redis refuses the credentials', remedy: 'check MILLRACE_REDIS_URL' },
  'redis-policy': {
    exit: 5,
    meaning: 'Redis may evict keys',
    remedy: 'set maxmemory-policy noeviction: any other policy loses retry jobs',
  },
  'redis-conflict': {
    exit: 5,
    meaning: 'the keys of this cluster id in Redis belong to another Kafka cluster or topic prefix',
    remedy: 'give each installation a MILLRACE_CLUSTER_ID of its own',
  },
  'topic-missing': {
    exit: 6,
    meaning: 'a topic does not exist',
    remedy: 'make it with `millrace topics create`',
  },
  'topic-mismatch': {
    exit: 6,
    meaning: 'a topic does not fit the pipeline',
    remedy: 'see docs/guarantees.md; partition counts of state, drops and retried are fixed',
  },
  'topic-conflict': {
    exit: 6,
    meaning: 'another live pipeline writes the same topic',
    remedy:
      'give one of them a MILLRACE_TOPIC_PREFIX and a MILLRACE_CLUSTER_ID of its own, or run it with `millrace run <pipeline> --as <name>`',
  },
  'state-format': {
    exit: 7,
    meaning: 'the state was written by a newer Millrace',
    remedy: 'install that version or a newer one',
  },
  'state-lost': {
    exit: 7,
    meaning: 'the state topic is empty although the pipeline has run',
    remedy: 'see docs/guarantees.md: restore the topic, or start under another name with --as',
  },
  'position-gap': {
    exit: 7,
    meaning: 'the position lies below the log start: records were deleted unread',
    remedy: 'see docs/guarantees.md; start under another name, or raise the retention',
  },
  'topic-recreated': {
    exit: 7,
    meaning: 'the input topic was deleted and made again',
    remedy: 'start under another name with --as: offsets mean something else now',
  },
  services: {
    exit: 8,
    meaning: 'local services do not start',
    remedy: 'run `millrace services up --verbose`',
  },
  'opensearch-unreachable': {
    exit: 9,
    meaning: 'OpenSearch does not answer',
    remedy: 'check MILLRACE_OPENSEARCH_URL',
  },
  'opensearch-auth': {
    exit: 9,
    meaning: 'OpenSearch refuses the credentials, the certificate or an operation',
    remedy: 'check MILLRACE_OPENSEARCH_USERNAME, MILLRACE_OPENSEARCH_PASSWORD and MILLRACE_OPENSEARCH_CA',
  },
  'opensearch-refused': {
    exit: 9,
    meaning: 'OpenSearch refuses an index, its mapping or a whole request',
    remedy: 'see docs/opensearch.md; give another --index or --mapping',
  },
  'sink-fenced': {
    exit: 9,
    meaning: 'a newer sink of the same topic and index has taken over',
    remedy: 'run one of them, or give another --index',
  },
  'audit-failed': {
    exit: 10,
    meaning: 'the audit found lost, doubled or mismatched records',
    remedy: 'the offsets are named above',
  },
  'restart-budget': {
    exit: 11,
    meaning: 'a child restarted too often',
    remedy: 'its last error stands above',
  },
  fenced: {
    exit: 13,
    meaning: 'another process has begun the same and goes on with it',
    remedy: 'nothing is lost or doubled: `millrace dlq log` shows what each did',
  },
  timeout: { exit: 12, meaning: 'something did not end in time', remedy: 'see the lines above' },
  internal: {
    exit: 70,
    meaning: 'a fault of Millrace itself',
    remedy: 'run again with --verbose and report it',
  },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof kinds
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = kinds

export class MillraceError extends Error {
  readonly code: ErrorCode
  /** What to do; the table's own unless a closer one is known. */
  readonly remedy: string
  constructor(
    code: ErrorCode,
    detail: string,
    options: { readonly remedy?: string; readonly cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MillraceError'
    this.code = code
    this.remedy = options.remedy ?? kinds[code].remedy
  }
  get exitCode(): number {
    return kinds[this.code].exit
  }
}

/** The text of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

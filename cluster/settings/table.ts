/** The one table of settings, in groups: name, kind, default, meaning. `docs/settings.md` is generated from it. */
import { availableParallelism } from 'node:os'
import {
  addresses,
  duration,
  type Failures,
  failures,
  flag,
  httpAddresses,
  integer,
  type Kind,
  oneOf,
  optionalHttpAddress,
  optionalInteger,
  optionalPath,
  optionalText,
  path,
  redisAddress,
  share,
  size,
  text,
  word,
} from './values.ts'

export interface Setting<T> {
  readonly env: string
  readonly kind: Kind<T>
  readonly default: T
  readonly doc: string
  /** What stands in the documentation where the default depends on the machine. */
  readonly shownDefault?: string
  /** Never shown: what stands in its place. */
  readonly hide?: (value: string) => string
}

const setting = <T>(
  name: string,
  kind: Kind<T>,
  fallback: NoInfer<T>,
  doc: string,
  more: Pick<Setting<T>, 'shownDefault' | 'hide'> = {},
): Setting<T> => ({ env: `MILLRACE_${name}`, kind, default: fallback, doc, ...more })

const hidden = (value: string): string => (value === '' ? '' : '***')
/** The host may be seen; user, password and query may not. */
const hideLogin = (url: string): string => url.replace(/\/\/.*@/, '//***@').replace(/\?.*$/, '?***')

/** The path of such an address is often a secret too. */
const hideHook = (url: string): string => (url === '' ? '' : `${new URL(url).origin}/***`)

const hideLogins = (urls: string): string => urls.split(',').map(hideLogin).join(',')

const MIB = 1024 ** 2
const cores = Math.max(1, Math.min(8, availableParallelism()))

const connections = {
  kafkaBrokers: setting(
    'KAFKA_BROKERS',
    addresses,
    [],
    'Bootstrap servers of the cluster that holds the input. Empty: local services are used',
  ),
  homeBrokers: setting(
    'HOME_BROKERS',
    addresses,
    [],
    'Bootstrap servers of the cluster that holds outputs and state, with the same login and TLS. Empty: the same as the input',
  ),
  kafkaTls: setting('KAFKA_TLS', flag, false, 'Speak TLS to Kafka'),
  kafkaTlsCa: setting(
    'KAFKA_TLS_CA',
    optionalPath,
    undefined,
    "File with the brokers' CA certificates (PEM)",
  ),
  kafkaTlsCert: setting('KAFKA_TLS_CERT', optionalPath, undefined, 'File with the client certificate (PEM)'),
  kafkaTlsKey: setting('KAFKA_TLS_KEY', optionalPath, undefined, "File with the certificate's key (PEM)"),
  kafkaSaslMechanism: setting(
    'KAFKA_SASL_MECHANISM',
    oneOf('none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'),
    'none',
    'SASL mechanism',
  ),
  kafkaSaslUsername: setting('KAFKA_SASL_USERNAME', text, '', 'SASL user'),
  kafkaSaslPassword: setting('KAFKA_SASL_PASSWORD', text, '', 'SASL password', { hide: hidden }),
  kafkaOauthModule: setting(
    'KAFKA_OAUTH_MODULE',
    optionalPath,
    undefined,
    'Module that exports `oauthBearerToken(): Promise<{ value }>`, for the mechanism oauthbearer',
  ),
  redisUrl: setting(
    'REDIS_URL',
    redisAddress,
    '',
    'Redis, as `redis://user:password@host:port/db`; `rediss://` speaks TLS. Empty: local services are used',
    { hide: hideLogin },
  ),
  redisTlsCa: setting('REDIS_TLS_CA', optionalPath, undefined, "File with Redis's CA certificates (PEM)"),
  redisTlsCert: setting('REDIS_TLS_CERT', optionalPath, undefined, 'File with the client certificate (PEM)'),
  redisTlsKey: setting('REDIS_TLS_KEY', optionalPath, undefined, "File with the certificate's key (PEM)"),
  startTimeout: setting('START_TIMEOUT', duration(), 60_000, 'How long a start waits for Kafka and Redis'),
  requestTimeout: setting('REQUEST_TIMEOUT', duration(100), 30_000, 'Deadline of one request to Kafka'),
} as const

const openSearch = {
  opensearchUrl: setting(
    'OPENSEARCH_URL',
    httpAddresses,
    ['http://127.0.0.1:9200'],
    'OpenSearch, for `millrace sink opensearch`; several nodes are separated by commas',
    { hide: hideLogins },
  ),
  opensearchUsername: setting('OPENSEARCH_USERNAME', text, '', 'OpenSearch user'),
  opensearchPassword: setting('OPENSEARCH_PASSWORD', text, '', 'OpenSearch password', { hide: hidden }),
  opensearchCa: setting(
    'OPENSEARCH_CA',
    optionalPath,
    undefined,
    "File with OpenSearch's CA certificates (PEM)",
  ),
} as const

const installation = {
  pipeline: setting(
    'PIPELINE',
    text,
    'user-login',
    "A shipped pipeline's name, or the path of a module that exports one",
  ),
  clusterId: setting(
    'CLUSTER_ID',
    word,
    'millrace',
    'Namespace of every Redis key; installations that share a Redis need different ones',
  ),
  topicPrefix: setting('TOPIC_PREFIX', word, '', 'Stands before every topic, group and transactional id'),
  dataDir: setting('DATA_DIR', path, '.millrace', 'Folder of local services: their binaries, logs and data'),
  logLevel: setting(
    'LOG_LEVEL',
    oneOf('debug', 'info', 'warn', 'error'),
    'info',
    'Least severe log line that is written',
  ),
  logFormat: setting(
    'LOG_FORMAT',
    oneOf('auto', 'json', 'pretty'),
    'auto',
    'Log lines on stderr: `json` is one object a line, `pretty` is for people; `auto` is pretty on a terminal',
  ),
} as const

const telemetry = {
  metricsPort: setting(
    'METRICS_PORT',
    integer(0, 65535),
    0,
    "Port of a process's own HTTP server with `/metrics`, `/healthz` and `/readyz`; 0 takes a free one. Of several worker processes the nth takes this port + n - 1",
  ),
  metricsHost: setting('METRICS_HOST', text, '127.0.0.1', 'Address it listens on; it asks for no login'),
  advertisedHost: setting(
    'ADVERTISED_HOST',
    optionalText,
    undefined,
    'Host under which others reach it, for `/sd/prometheus` of the coordinator',
    { shownDefault: 'the address it listens on, or the host name where that is every address' },
  ),
  traceUrl: setting(
    'TRACE_URL',
    optionalHttpAddress,
    undefined,
    'Where people see a trace, such as `http://localhost:16686/trace/{traceId}`: jobs of the retry queue link to it',
    { shownDefault: 'none' },
  ),
} as const

const http = {
  httpPort: setting(
    'HTTP_PORT',
    integer(0, 65535),
    8400,
    "Port of the coordinator's HTTP server; 0 takes a free one",
  ),
  httpHost: setting(
    'HTTP_HOST',
    text,
    '127.0.0.1',
    'Address it listens on; beyond loopback a login must be set',
  ),
  httpUrl: setting(
    'HTTP_URL',
    optionalHttpAddress,
    undefined,
    'Where people reach it, for the links that it tells; needed behind a proxy or another port',
    { shownDefault: 'of its address and port' },
  ),
  httpToken: setting('HTTP_TOKEN', text, '', 'Login: sent as `Authorization: Bearer <token>`', {
    hide: hidden,
  }),
  httpTokenPath: setting(
    'HTTP_TOKEN_PATH',
    optionalPath,
    undefined,
    'File that holds that token where MILLRACE_HTTP_TOKEN is not set; made with a random one at the first start, which then tells its login link',
  ),
  httpUser: setting('HTTP_USER', text, '', 'Login: user of basic authentication'),
  httpPassword: setting('HTTP_PASSWORD', text, '', 'Login: password of basic authentication', {
    hide: hidden,
  }),
  queueActions: setting(
    'QUEUE_ACTIONS',
    flag,
    false,
    'Jobs of /queues may be retried, promoted and removed there',
  ),
} as const

const processing = {
  processes: setting('PROCESSES', integer(1, 64), 1, 'Worker processes of one supervisor'),
  threads: setting('THREADS', integer(1, 64), cores, 'Pool threads of one worker process', {
    shownDefault: 'the cores, at most 8',
  }),
  threadHeapMb: setting('THREAD_HEAP_MB', integer(16, 8192), 256, 'Heap limit of one pool thread in MiB'),
  taskTimeout: setting(
    'TASK_TIMEOUT',
    duration(100),
    30_000,
    'A pool task that runs longer is ended and its batch bisected',
  ),
  concurrency: setting(
    'CONCURRENCY',
    integer(1, 1024),
    16,
    'Asynchronous process steps of one batch that run at once',
  ),
  maxRecordBytes: setting(
    'MAX_RECORD_BYTES',
    size,
    8 * MIB,
    'A larger record value is a dead letter (too-large)',
  ),
  maxDecompressedBytes: setting(
    'MAX_DECOMPRESSED_BYTES',
    size,
    64 * MIB,
    'Bound on one decompressed record batch',
  ),
} as const

const flow = {
  fetchBytes: setting('FETCH_BYTES', size, MIB, 'Most bytes of one partition in one fetch'),
  fetchWait: setting('FETCH_WAIT', duration(), 100, 'How long the broker may wait for new records'),
  mailboxRecords: setting(
    'MAILBOX_RECORDS',
    integer(1, 10_000_000),
    100_000,
    'Records of one shard read but not committed; above it the input is left out of the fetch',
  ),
  mailboxBytes: setting('MAILBOX_BYTES', size, 16 * MIB, 'Bytes of one shard read but not committed'),
  inFlightBytes: setting(
    'IN_FLIGHT_BYTES',
    size,
    24 * MIB,
    'Bytes of all shards of a worker process read but not committed; above it only shards that hold nothing are fetched',
  ),
  batchesAhead: setting(
    'BATCHES_AHEAD',
    integer(1, 64),
    4,
    'Batches of one shard in the pool ahead of the commit',
  ),
  commitBytes: setting('COMMIT_BYTES', size, 8 * MIB, 'A transaction takes ready batches up to this size'),
  commitInterval: setting(
    'COMMIT_INTERVAL',
    duration(),
    20,
    'How long a transaction waits for more ready batches while others are under way',
  ),
  transactionTimeout: setting(
    'TRANSACTION_TIMEOUT',
    duration(1000),
    60_000,
    'After this the broker aborts an open transaction by itself',
  ),
  mirrorInterval: setting('MIRROR_INTERVAL', duration(50), 1000, 'How often the group offsets are mirrored'),
} as const

const retries = {
  retryAttempts: setting(
    'RETRY_ATTEMPTS',
    integer(1, 100),
    4,
    'Runs of a record that may succeed later, the first included; then it is a dead letter. 1: no retries',
  ),
  retryDelay: setting(
    'RETRY_DELAY',
    duration(),
    1000,
    'Wait before the second run; each later one is twice as long, up to an hour',
  ),
  retryJitter: setting(
    'RETRY_JITTER',
    share,
    0.2,
    'Share of a wait that chance takes away or adds, so that many do not come back at once',
  ),
  retryConcurrency: setting(
    'RETRY_CONCURRENCY',
    integer(1, 1000),
    50,
    'Records that one worker process takes from the retry queue at a time',
  ),
  retryGrace: setting(
    'RETRY_GRACE',
    duration(100),
    10_000,
    'So long after it was due a parked record without a job in the queue gets a new one',
  ),
  parkedRecords: setting(
    'PARKED_RECORDS',
    integer(1, 1_000_000),
    10_000,
    'Parked records of one shard; above it the shard reads no more input until some are settled',
  ),
  parkedBytes: setting('PARKED_BYTES', size, 16 * MIB, 'Bytes of the parked records of one shard'),
  inject: setting<Failures>(
    'INJECT',
    failures,
    {},
    'Made-up failures, for `demo --inject` and tests; every other command that runs a pipeline refuses it',
  ),
} as const

const alerts = {
  alertAt: setting(
    'ALERT_AT',
    optionalInteger(1, 2 ** 31 - 1),
    undefined,
    'Dead letters of one class at which people are alerted, for pipelines that name no `alertAt`; counted by an aggregate `errors()`',
    { shownDefault: 'none' },
  ),
  alertHook: setting(
    'ALERT_HOOK',
    optionalHttpAddress,
    undefined,
    'Where the leading coordinator posts each alert as JSON; a login within it becomes basic authentication',
    { hide: hideHook },
  ),
} as const

const supervision = {
  lease: setting('LEASE', duration(100), 10_000, "Life of a worker's and of the leader's lease"),
  restarts: setting(
    'RESTARTS',
    integer(0, 1000),
    5,
    'Restarts within the restart window before a supervisor gives up',
  ),
  restartWindow: setting('RESTART_WINDOW', duration(), 60_000, 'Window of the restart budget'),
  stallTimeout: setting(
    'STALL_TIMEOUT',
    duration(1000),
    90_000,
    'A slot with work to do that has not moved for so long, and waits for nothing that has a name, is started again, then its worker; a worker process whose loop stands still for so long is killed',
  ),
  grace: setting('GRACE', duration(), 8000, 'Longest drain after SIGTERM'),
} as const

const topics = {
  slots: setting(
    'SLOTS',
    optionalInteger(1, 256),
    undefined,
    'Slots of a new pipeline; fixed when the state topic is made',
    { shownDefault: "the input's partitions, at most 256" },
  ),
  partitions: setting(
    'PARTITIONS',
    integer(1, 100_000),
    4,
    'Partitions of an input topic made by `millrace topics create`',
  ),
  replication: setting(
    'REPLICATION',
    optionalInteger(1, 32),
    undefined,
    'Replication factor of made topics',
    { shownDefault: 'as the input topic' },
  ),
  minInsyncReplicas: setting(
    'MIN_INSYNC_REPLICAS',
    optionalInteger(1, 32),
    undefined,
    'min.insync.replicas of made topics',
    { shownDefault: 'as the input topic' },
  ),
  fromGroup: setting(
    'FROM_GROUP',
    optionalText,
    undefined,
    'Consumer group whose offsets are taken over at the very first start',
  ),
} as const

/** Group title -> its settings, in the order of the documentation. */
export const settingsGroups = {
  'Kafka and Redis': connections,
  OpenSearch: openSearch,
  Installation: installation,
  "The coordinator's HTTP server": http,
  'Metrics and traces': telemetry,
  Processing: processing,
  'Data flow': flow,
  Retries: retries,
  Alerts: alerts,
  Supervision: supervision,
  Topics: topics,
} as const

export const settingsTable = {
  ...connections,
  ...openSearch,
  ...installation,
  ...http,
  ...telemetry,
  ...processing,
  ...flow,
  ...retries,
  ...alerts,
  ...supervision,
  ...topics,
} as const

type Table = typeof settingsTable
export type SettingName = keyof Table
export type Settings = { readonly [K in SettingName]: Table[K] extends Setting<infer T> ? T : never }

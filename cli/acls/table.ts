/**
 * Which rights on Kafka each part of a pipeline needs, and what for: pure, one row a right. The list is the least:
 * test/cli/acls/least.test.ts shows of each row what fails without it. Describe is in Read, Write and Alter, DescribeConfigs in AlterConfigs.
 * Topics are taken to be there: making them is a part of its own.
 */
import type { Which } from '../../cluster/kafka/client.ts'
import {
  clusterTopic,
  coordinatorTransactionalId,
  type Names,
  ordersTransactionalId,
  replaysTopic,
  replayTransactionalId,
  type SinkNames,
} from '../../cluster/protocol/names.ts'

export const parts = [
  'worker',
  'coordinator',
  'topics',
  'audit',
  'dlq',
  'replay',
  'sink',
  'orders',
  'produce',
] as const
export type PartName = (typeof parts)[number]

export const partSummaries: Readonly<Record<PartName, string>> = {
  worker: '`millrace worker`, and `millrace run` (with --as)',
  coordinator: '`millrace coordinator`, of each pipeline that it serves',
  topics: '`millrace topics create`; a worker that shall make its topics needs them as well',
  audit: '`millrace audit`',
  dlq: '`millrace dlq` to look',
  replay: '`millrace dlq replay`, `repair` and `park`',
  sink: '`millrace sink opensearch`',
  orders: '`millrace status`, and what orders: `drain`, `pause`, `resume`, `move`, `pin`, `insights --flush`',
  produce: '`millrace generate` and `millrace send`',
}

export type Operation = 'Read' | 'Write' | 'Create' | 'Describe' | 'DescribeConfigs' | 'AlterConfigs'
export type Resource = 'topic' | 'group' | 'transactional-id'

export interface Acl {
  readonly part: PartName
  /** Mostly one cluster; with MILLRACE_HOME_BROKERS the rows of each go to its own. */
  readonly cluster: Which
  readonly resource: Resource
  readonly pattern: 'literal' | 'prefixed'
  readonly name: string
  readonly operation: Operation
  readonly why: string
}

export interface AclsOf {
  /** The pipeline's, or what `--as` renamed it to. */
  readonly pipeline: string
  readonly names: Names
  readonly prefix: string
  /** Absent where the pipeline has no output. */
  readonly sink?: SinkNames
  /** Whose offsets a first start takes over. */
  readonly fromGroup?: string | undefined
}

type Row = Omit<Acl, 'part'>
type Right = readonly [operation: Operation, why: string]

const rows =
  (resource: Resource, pattern: Acl['pattern'] = 'literal') =>
  (cluster: Which, name: string | undefined, ...rights: readonly Right[]): readonly Row[] =>
    name === undefined
      ? []
      : rights.map(([operation, why]) => ({ cluster, resource, pattern, name, operation, why }))

const topic = rows('topic')
const group = rows('group')
const transactions = rows('transactional-id')
const transactionsFrom = rows('transactional-id', 'prefixed')

const SETTINGS: Right = ['DescribeConfigs', 'its settings are checked at every start']

const worker = ({ names, prefix, fromGroup }: AclsOf): readonly Row[] => [
  ...topic('input', names.input, ['Read', 'the input'], SETTINGS),
  ...group('input', names.group, ['Read', 'positions are mirrored as its offsets, for lag tools']),
  ...group('input', fromGroup, ['Describe', 'its offsets are taken over at the first start']),
  ...topic('home', names.output, ['Write', 'outputs'], SETTINGS),
  ...topic('home', names.deadLetters, ['Write', 'dead letters'], SETTINGS),
  ...topic('home', names.insights, ['Write', 'insights by count'], SETTINGS),
  ...topic('home', names.state, ['Read', 'a takeover restores the state'], ['Write', 'the state'], SETTINGS),
  ...topic('home', names.drops, ['Write', 'dropped offsets'], SETTINGS),
  ...topic('home', names.retried, ['Read', 'results of retries'], ['Write', 'results of retries'], SETTINGS),
  ...topic('home', clusterTopic(prefix), ['Read', 'the plan'], SETTINGS),
  ...transactionsFrom('home', `${names.group}.`, ['Write', 'one transactional id a slot']),
]

/** Of every pipeline alike. */
const leading = (prefix: string): readonly Row[] => [
  ...topic('home', clusterTopic(prefix), ['Read', 'the plan before'], ['Write', 'the plan'], SETTINGS),
  ...transactions('home', coordinatorTransactionalId(prefix), [
    'Write',
    'a later leader fences an earlier one',
  ]),
]

const coordinator = ({ names, prefix }: AclsOf): readonly Row[] => [
  ...leading(prefix),
  ...topic('home', names.clusterInsights, ['Write', 'cluster-wide insights']),
]

const MAKE: readonly Right[] = [
  ['Create', 'it is made where it is missing'],
  ['Describe', 'whether it is there'],
]
const MEND: Right = ['AlterConfigs', 'settings that do not fit are set right']

const making = ({ pipeline, names, prefix }: AclsOf): readonly Row[] => [
  ...topic('input', names.input, ...MAKE, ['DescribeConfigs', 'others are made like it']),
  ...[
    names.output,
    names.deadLetters,
    names.insights,
    names.state,
    names.drops,
    names.retried,
    names.clusterInsights,
    replaysTopic(pipeline, prefix),
    clusterTopic(prefix),
  ].flatMap((name) => topic('home', name, ...MAKE, MEND)),
]

const HOLES: Right = ['DescribeConfigs', 'whether it is compacted, else the audit says "not provable"']

const audit = ({ names }: AclsOf): readonly Row[] => [
  ...topic('input', names.input, ['Read', 'every offset'], HOLES),
  ...topic('home', names.output, ['Read', 'fates'], HOLES),
  ...topic('home', names.deadLetters, ['Read', 'fates']),
  ...topic('home', names.drops, ['Read', 'fates']),
  ...topic('home', names.state, ['Read', 'positions, what is parked']),
  ...topic('home', names.insights, ['Read', 'insights by count']),
]

const dlq = ({ pipeline, names, prefix }: AclsOf): readonly Row[] => [
  ...topic('home', names.deadLetters, ['Read', 'dead letters']),
  ...topic('home', replaysTopic(pipeline, prefix), ['Read', 'what was done with them']),
  ...topic('input', names.input, ['Read', 'a letter too large for its topic is completed from there']),
]

const replay = (of: AclsOf): readonly Row[] => [
  ...dlq(of),
  ...topic(
    'input',
    of.names.input,
    ['Write', 'records that are sent again'],
    ['DescribeConfigs', 'the log of replays is as durable as the input'],
  ),
  ...topic('home', replaysTopic(of.pipeline, of.prefix), ['Write', 'what was sent'], SETTINGS),
  ...transactions('home', replayTransactionalId(of.pipeline, of.prefix), [
    'Write',
    'a later replay fences an earlier one',
  ]),
]

const sink = ({ sink: names }: Pick<AclsOf, 'sink'>): readonly Row[] =>
  names === undefined
    ? []
    : [
        ...topic(
          'home',
          names.topic,
          ['Read', 'what is indexed'],
          ['DescribeConfigs', 'its letters are kept like it'],
        ),
        ...topic('home', names.deadLetters, ['Write', 'what the store refuses'], SETTINGS),
        ...group('home', names.group, ['Read', 'its offsets are the position']),
        ...transactions('home', names.transactionalId, ['Write', 'position and letters in one transaction']),
      ]

const orders = ({ names, prefix }: AclsOf): readonly Row[] => [
  ...topic('input', names.input, ['Describe', 'whether a partition is there']),
  ...topic(
    'home',
    clusterTopic(prefix),
    ['Read', 'plans and earlier orders'],
    ['Write', 'the order'],
    SETTINGS,
  ),
  ...transactions('home', ordersTransactionalId(prefix), ['Write', 'a later order fences an earlier one']),
]

const produce = ({ names }: AclsOf): readonly Row[] => [
  ...topic('input', names.input, ['Write', 'records'], ['DescribeConfigs', 'whether it is there']),
]

const ofPart = { worker, coordinator, topics: making, audit, dlq, replay, sink, orders, produce } as const

export const aclsOf = (of: AclsOf, wanted: readonly PartName[] = parts): readonly Acl[] =>
  wanted.flatMap((part) => ofPart[part](of).map((row) => ({ part, ...row })))

/** What a coordinator needs before it knows whom it serves. */
export const leadingAcls = (prefix: string): readonly Acl[] =>
  leading(prefix).map((row) => ({ part: 'coordinator', ...row }))

/** Of a sink of any topic, its pipeline's or not. */
export const sinkAcls = (names: SinkNames): readonly Acl[] =>
  sink({ sink: names }).map((row) => ({ part: 'sink', ...row }))

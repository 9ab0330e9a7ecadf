/**
 * Which topics a pipeline has and how they must be set: pure. Laws (protocol P1):
 * state, drops and retried have one partition a slot, for ever;
 * no topic that holds a fate ever inherits compaction; state is compacted alone and read back in a few MB.
 */
import { MillraceError } from '../errors.ts'
import type { Names } from '../protocol/names.ts'
import type { Settings } from '../settings.ts'

export interface TopicDescription {
  readonly name: string
  readonly partitions: number
  readonly replication: number
  /** What counts, defaults of the broker included. */
  readonly configs: Readonly<Record<string, string>>
}

export type Role =
  | 'output'
  | 'dead-letters'
  | 'insights'
  | 'state'
  | 'drops'
  | 'retried'
  | 'cluster'
  | 'cluster-insights'

export interface WantedTopic {
  readonly role: Role
  readonly name: string
  readonly partitions: number
  /** Another number of partitions would put records of one slot into another. */
  readonly fixedPartitions: boolean
  readonly replication: number
  /** Given at creation. */
  readonly configs: Readonly<Record<string, string>>
  /** Those of `configs` that must hold at every start. */
  readonly held: readonly string[]
}

export const MOST_SLOTS = 256
const HOUR = String(3_600_000)
const WEEK = String(7 * 24 * 3_600_000)
const FOR_EVER = '-1'
/** Room for what Millrace adds to an input record: headers, or the envelope of a parked retry. */
const ENVELOPE = 64 * 1024
/** Kafka's sizes are 32-bit. */
const LARGEST = 2 ** 31 - 1

/** So that a takeover reads a few MB. Seen: with the defaults, transaction markers alone cost 67 MB a slot and day. */
const compacted = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(4 * 1024 ** 2),
  'segment.ms': HOUR,
  'max.compaction.lag.ms': HOUR,
  'delete.retention.ms': HOUR,
  'min.cleanable.dirty.ratio': '0.1',
} as const

/** The number of slots is that of the state topic, once it exists. */
export const slotsFor = (input: TopicDescription, state: TopicDescription | undefined, slots?: number) => {
  if (state === undefined) return slots ?? Math.min(input.partitions, MOST_SLOTS)
  if (slots !== undefined && slots !== state.partitions)
    throw new MillraceError(
      'topic-mismatch',
      `${state.name} has ${state.partitions} partitions, but MILLRACE_SLOTS is ${slots}`,
    )
  return state.partitions
}

interface Durability {
  readonly replication: number
  readonly minInsync: number
}

type Wishes = Pick<Settings, 'replication' | 'minInsyncReplicas'>

/** As the input topic's unless set; never so that the topic could not be written. */
export const durabilityFor = (input: TopicDescription, wishes: Wishes): Durability => {
  const replication = wishes.replication ?? input.replication
  const inherited = Math.min(Number(input.configs['min.insync.replicas'] ?? 1), replication)
  const minInsync = wishes.minInsyncReplicas ?? inherited
  if (minInsync > replication)
    throw new MillraceError(
      'settings',
      `min.insync.replicas ${minInsync} is more than the ${replication} replicas of the made topics`,
    )
  return { replication, minInsync }
}

/** The topics that Millrace makes for a pipeline (its input is the user's). */
export const wantedTopics = (
  names: Names,
  input: TopicDescription,
  slots: number,
  wishes: Wishes,
): readonly WantedTopic[] => {
  const durability = durabilityFor(input, wishes)
  const largest = String(
    Math.min(Number(input.configs['max.message.bytes'] ?? 1_048_588) + ENVELOPE, LARGEST),
  )
  const retention = retentionOf(input)
  const make = (role: Role, name: string, partitions: number, configs: Readonly<Record<string, string>>) =>
    wanted(role, name, partitions, configs, durability)
  const topics = [
    make('dead-letters', names.deadLetters, input.partitions, {
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'LogAppendTime',
      'max.message.bytes': largest,
      ...retention,
    }),
    make('state', names.state, slots, { ...compacted, 'max.message.bytes': largest }),
    make('drops', names.drops, slots, {
      'cleanup.policy': 'delete',
      'retention.ms': retention['retention.ms'],
      'retention.bytes': FOR_EVER,
    }),
    make('retried', names.retried, slots, {
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'LogAppendTime',
      'retention.ms': WEEK,
      'max.message.bytes': largest,
    }),
  ]
  return [
    ...(names.output === undefined ? [] : [outputLike(names.output, input, make)]),
    ...(names.insights === undefined
      ? []
      : [make('insights', names.insights, 1, { 'cleanup.policy': 'delete', 'retention.ms': WEEK })]),
    ...topics,
  ]
}

type Make = (
  role: Role,
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>>,
) => WantedTopic

/** Outputs keep the input's timestamps, so the time of writing must not replace them. */
const outputLike = (name: string, input: TopicDescription, make: Make): WantedTopic => {
  const largest = input.configs['max.message.bytes']
  return make('output', name, input.partitions, {
    'cleanup.policy': 'delete',
    'message.timestamp.type': 'CreateTime',
    ...(largest === undefined ? {} : { 'max.message.bytes': largest }),
    ...retentionOf(input),
  })
}

/** Nothing that came of a record goes before the record: a compacted input keeps records for ever. */
const retentionOf = (input: TopicDescription) => {
  const kept = (name: string) =>
    input.configs['cleanup.policy'] === 'compact' ? FOR_EVER : (input.configs[name] ?? FOR_EVER)
  return { 'retention.ms': kept('retention.ms'), 'retention.bytes': kept('retention.bytes') }
}

/** Plans and orders of all pipelines. */
export const wantedClusterTopic = (name: string, durability: Durability): WantedTopic =>
  wanted('cluster', name, 1, compacted, durability)

/** The leading coordinator makes it too, where it may: its settings are nobody's business later. */
export const wantedClusterInsights = (name: string, durability: Durability): WantedTopic =>
  wanted('cluster-insights', name, 1, { 'cleanup.policy': 'compact' }, durability)

const held: Readonly<Record<Role, readonly string[]>> = {
  output: ['cleanup.policy'],
  'dead-letters': ['cleanup.policy', 'message.timestamp.type'],
  insights: ['cleanup.policy'],
  state: [...Object.keys(compacted), 'max.message.bytes'],
  drops: ['cleanup.policy', 'retention.ms', 'retention.bytes'],
  retried: ['cleanup.policy', 'message.timestamp.type', 'max.message.bytes'],
  cluster: Object.keys(compacted),
  'cluster-insights': [],
}

/** Others may have made these, with as many partitions as they like. */
const USERS_CHOICE: readonly Role[] = ['output', 'dead-letters', 'insights', 'cluster-insights']

const wanted = (
  role: Role,
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>>,
  { replication, minInsync }: Durability,
): WantedTopic => ({
  role,
  name,
  partitions,
  fixedPartitions: !USERS_CHOICE.includes(role),
  replication,
  configs: { ...configs, 'min.insync.replicas': String(minInsync) },
  held: held[role],
})

/**
 * Topics through kafkajs's admin. Law of `ensureTopics`: everything is checked, by us and by the broker, before anything
 * is made, so that a fault leaves nothing half-created; run by several at once, all end with the same topics.
 */
import kafkajs, { type Admin } from 'kafkajs'
import { MillraceError } from '../errors.ts'
import { clusterTopic, type Names } from '../protocol/names.ts'
import type { Settings } from '../settings.ts'
import { adminFailure, isUnknownTopic } from './admin-failures.ts'
import { insist, isLost, pause } from './failures.ts'
import { checkTopics, describeMismatch, isAlterable, type Mismatch, refuseMismatches } from './topic-check.ts'
import {
  durabilityFor,
  slotsFor,
  type TopicDescription,
  type WantedTopic,
  wantedClusterTopic,
  wantedTopics,
} from './topics.ts'

/** Node finds no more than the first few names of this CommonJS module by itself. */
const { TOPIC } = kafkajs.ConfigResourceTypes

/** Undefined where the topic does not exist. */
export const describeTopic = async (admin: Admin, name: string): Promise<TopicDescription | undefined> => {
  const metadata = await insist(() => admin.fetchTopicMetadata({ topics: [name] }), isLost).catch(
    (error: unknown) => {
      if (isUnknownTopic(error)) return undefined
      throw adminFailure(`cannot describe topic ${name}`, error)
    },
  )
  const partitions = metadata?.topics[0]?.partitions
  if (partitions === undefined) return undefined
  // Of several brokers one may have heard of a young topic before another: it counts once all that are asked know it.
  const entries = await configEntries(admin, name)
  if (entries === undefined) return undefined
  const configs = entries.map((entry) => [entry.configName, entry.configValue])
  return {
    name,
    partitions: partitions.length,
    replication: partitions[0]?.replicas.length ?? 1,
    configs: Object.fromEntries(configs),
  }
}

export const describeTopics = async (
  admin: Admin,
  names: readonly string[],
): Promise<ReadonlyMap<string, TopicDescription>> => {
  const topics = await Promise.all(names.map((name) => describeTopic(admin, name)))
  return new Map(topics.flatMap((topic) => (topic === undefined ? [] : [[topic.name, topic]])))
}

const configEntries = async (admin: Admin, name: string) => {
  const resources = [{ type: TOPIC, name }]
  const reply = await insist(
    () => admin.describeConfigs({ includeSynonyms: false, resources }),
    isLost,
  ).catch((error: unknown) => {
    if (isUnknownTopic(error)) return undefined
    throw adminFailure(`cannot read the settings of topic ${name}`, error)
  })
  return reply?.resources[0]?.configEntries
}

export interface Admins {
  readonly input: Admin
  /** The same one where input and home are one cluster. */
  readonly home: Admin
}

export interface Ensured {
  readonly input: TopicDescription
  readonly slots: number
  /** By name; the input is not among them. */
  readonly topics: ReadonlyMap<string, TopicDescription>
  readonly created: readonly string[]
  /** What was set right, and what works but proves less: one line each. */
  readonly notes: readonly string[]
}

/** @throws MillraceError `topic-missing` (the input), `topic-mismatch`, `kafka-auth` */
export const ensureTopics = async (admins: Admins, names: Names, settings: Settings): Promise<Ensured> => {
  const { input, slots, wanted } = await plannedTopics(admins, names, settings)
  return { input, slots, ...(await ensure(admins.home, wanted)) }
}

/** What `ensureTopics` would compare, for tools that only look. */
export const plannedTopics = async (admins: Admins, names: Names, settings: Settings) => {
  const input = await describeTopic(admins.input, names.input)
  if (input === undefined)
    throw new MillraceError('topic-missing', `input topic ${names.input} does not exist`)
  const slots = slotsFor(input, await describeTopic(admins.home, names.state), settings.slots)
  const cluster = wantedClusterTopic(clusterTopic(settings.topicPrefix), durabilityFor(input, settings))
  return { input, slots, wanted: [...wantedTopics(names, input, slots, settings), cluster] }
}

/** Of several brokers one may have gone that the others still name. */
export const describeCluster = (admin: Admin) =>
  insist(() => admin.describeCluster(), isLost).catch((error: unknown) => {
    throw adminFailure('cannot ask Kafka for its brokers', error)
  })

/** For a coordinator that serves no pipeline yet: as many replicas as there are brokers, at most 3. */
export const ensureClusterTopic = async (home: Admin, settings: Settings): Promise<void> => {
  const { brokers } = await describeCluster(home)
  const replication = settings.replication ?? Math.min(3, brokers.length)
  const minInsync = settings.minInsyncReplicas ?? Math.max(1, replication - 1)
  await ensure(home, [wantedClusterTopic(clusterTopic(settings.topicPrefix), { replication, minInsync })])
}

/** Of the home cluster. */
export const ensure = async (home: Admin, wanted: readonly WantedTopic[]) => {
  const names = wanted.map(({ name }) => name)
  const found = await describeTopics(home, names)
  const before = checkTopics(found, wanted)
  // Mostly: a worker that starts again finds everything as it left it.
  if (before.length === 0) return { topics: found, created: [], notes: [] }
  refuseMismatches(before)
  const missing = before.flatMap((one) => (one.mismatch === 'missing' ? [one.topic] : []))
  const created = await create(home, missing)
  await alterAll(home, before)
  const topics = await describeAll(home, names)
  /** Somebody else may have made them meanwhile, otherwise than we would have. */
  refuseMismatches(checkTopics(topics, wanted))
  return { topics, created, notes: before.filter((one) => one.mismatch === 'config').map(noteOf) }
}

/** A broker may learn of a topic a little later than the one that made it. */
const describeAll = async (admin: Admin, names: readonly string[]) => {
  for (let attempt = 1; ; attempt++) {
    const topics = await describeTopics(admin, names)
    const unseen = names.filter((name) => !topics.has(name))
    if (unseen.length === 0) return topics
    if (attempt === 50) throw new MillraceError('timeout', `made, but not seen yet: ${unseen.join(', ')}`)
    await pause(200)
  }
}

const noteOf = (mismatch: Mismatch): string =>
  isAlterable(mismatch)
    ? `topic ${mismatch.topic.name}: ${mismatch.config} was ${mismatch.actual}, now ${mismatch.wanted}`
    : describeMismatch(mismatch)

interface NewTopic {
  readonly name: string
  /** -1: the broker's default. */
  readonly partitions: number
  readonly replication: number
  readonly configs: Readonly<Record<string, string>>
}

/**
 * Validated whole by the broker first. Nothing is waited for: kafkajs's own waiting fails where a broker does not know the
 * new topic yet. @returns the names this call made
 */
const create = async (admin: Admin, missing: readonly NewTopic[]): Promise<readonly string[]> => {
  if (missing.length === 0) return []
  const topics = missing.map(({ name, partitions, replication, configs }) => ({
    topic: name,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }))
  const made: string[] = []
  try {
    await insist(() => admin.createTopics({ topics, validateOnly: true, waitForLeaders: false }), isLost)
    for (const topic of topics) {
      const isNew = () => admin.createTopics({ topics: [topic], waitForLeaders: false })
      if (await insist(isNew, isLost)) made.push(topic.topic)
    }
  } catch (error) {
    const names = topics.map(({ topic }) => topic).join(', ')
    throw adminFailure(`cannot make ${names}`, error)
  }
  return made
}

/** @returns whether it was made by this call */
export const createInput = async (admin: Admin, name: string, settings: Settings): Promise<boolean> => {
  const { partitions, minInsyncReplicas: minInsync } = settings
  const configs = minInsync === undefined ? {} : { 'min.insync.replicas': String(minInsync) }
  const made = await create(admin, [{ name, partitions, replication: settings.replication ?? -1, configs }])
  await describeAll(admin, [name])
  return made.length > 0
}

const alterAll = async (admin: Admin, mismatches: readonly Mismatch[]): Promise<void> => {
  const byTopic = Map.groupBy(mismatches.filter(isAlterable), ({ topic }) => topic.name)
  for (const [name, changes] of byTopic) {
    const right = changes.map(({ config, wanted }) => [config, wanted] as const)
    await alter(admin, name, Object.fromEntries(right))
  }
}

/** Kafka's AlterConfigs of kafkajs replaces the whole set: what was given for the topic itself must go along. */
const alter = async (
  admin: Admin,
  name: string,
  changes: Readonly<Record<string, string>>,
): Promise<void> => {
  const present = await configEntries(admin, name)
  if (present === undefined)
    throw new MillraceError('topic-missing', `topic ${name} is not known to every broker`)
  const own = present.filter(({ configSource }) => configSource === OF_THE_TOPIC)
  const merged = { ...Object.fromEntries(own.map((e) => [e.configName, e.configValue])), ...changes }
  const entries = Object.entries(merged).map(([key, value]) => ({ name: key, value }))
  const resources = [{ type: TOPIC, name, configEntries: entries }]
  try {
    await insist(() => admin.alterConfigs({ validateOnly: false, resources }), isLost)
  } catch (error) {
    const wished = Object.entries(changes).map(([key, value]) => `${key}=${value}`)
    throw adminFailure(`cannot set ${wished.join(', ')} on topic ${name}`, error)
  }
}

/** DescribeConfigs: the source of a config that was set on the topic. */
const OF_THE_TOPIC = 1

/** What the coordinator needs to publish insights: the pipelines' own algebra, and a producer on the insights topics. */
import { type Admin, Partitioners, type Producer } from 'kafkajs'
import type { EventBus } from '../cluster/events.ts'
import { adminFailure, isUnknownTopic } from '../cluster/kafka/admin-failures.ts'
import { kafkaClient } from '../cluster/kafka/client.ts'
import { namesOf } from '../cluster/protocol/names.ts'
import type { WindowParts } from '../cluster/redis/views-read.ts'
import type { Settings } from '../cluster/settings.ts'
import type { ClusterMessage, Said, Spokesman } from '../coordinator/cluster-insights.ts'
import type { Combine } from '../coordinator/insights.ts'
import { type Aggregate, finalize } from '../pipelines/api/aggregates.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import { figuresOf } from '../pipelines/api/figures.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { combine } from './insights.ts'

export type PipelineByName = (name: string) => Promise<AnyPipeline | undefined>

/** The configured pipeline or a shipped one; insights of any other are left to a coordinator that has its module. */
export const knownPipelines = (settings: Settings, events: EventBus): PipelineByName => {
  const known = new Map<string, Promise<AnyPipeline | undefined>>()
  const find = async (name: string): Promise<AnyPipeline | undefined> => {
    for (const candidate of [settings.pipeline, name]) {
      const loaded = await loadPipeline(candidate).catch(() => undefined)
      if (loaded?.pipeline.name === name) return loaded.pipeline
    }
    events.emit('skipped', { detail: `insights of ${name} are not published: its module is not known here` })
    return undefined
  }
  return (name) => {
    const found = known.get(name) ?? find(name)
    known.set(name, found)
    return found
  }
}

export const combinerOf =
  ({ aggregates = {} }: AnyPipeline): Combine =>
  (window: WindowParts) => {
    const values = combine(aggregates, [window]).flatMap((combined) => [...combined.values])
    return Object.fromEntries(
      values.flatMap(([name, value]) => {
        const aggregate = aggregates[name]
        return aggregate === undefined ? [] : [[name, finalize(aggregate, value)]]
      }),
    )
  }

/** @param fallback what people are alerted at where the pipeline does not say */
export const spokesmanFor = (
  { aggregates = {}, clusterInsights, alertAt }: AnyPipeline,
  fallback?: number,
): Spokesman => {
  const figures = (totals: readonly WindowParts[]) =>
    figuresOf(aggregates, new Map(combine(aggregates, totals).flatMap(({ values }) => [...values])))
  const named = (fits: (aggregate: Aggregate) => boolean) =>
    Object.entries(aggregates).flatMap(([name, aggregate]) => (fits(aggregate) ? [name] : []))
  const errors = named(({ fold }) => fold === 'errors')
  const windowed = named(({ span }) => span === 'window')
  return {
    seconds: clusterInsights?.seconds,
    alertAt: errors.length === 0 ? undefined : (alertAt ?? fallback),
    say: (totals) => judged(clusterInsights?.messages(figures(totals)) ?? [], windowed),
    errors: (totals) => errors.flatMap((name) => figures(totals).counts(name)),
  }
}

/** Nothing else holds a pipeline's function to its type, and labels of records may stand in keys: the good ones go out. */
const judged = (messages: readonly ClusterMessage[], windowed: readonly string[]): Said => {
  if (!Array.isArray(messages)) throw new Error('its function returns no list')
  const good = new Map<string, ClusterMessage>()
  const faults = new Set<string>()
  for (const { key, value } of messages) {
    const fault = faultOf(key, value, windowed) ?? (good.has(key) ? 'two messages have one key' : undefined)
    if (fault === undefined) good.set(key, { key, value })
    else faults.add(fault)
  }
  return { messages: [...good.values()], faults: [...faults] }
}

/** No text repeats a key: it may hold what a record said. */
const faultOf = (key: unknown, value: unknown, windowed: readonly string[]): string | undefined => {
  if (typeof key !== 'string' || key === '') return 'a message has no key'
  if (typeof value !== 'object' || value === null) return 'the value of a message is no object'
  const [, aggregate = ''] = WINDOW_KEY.exec(key) ?? []
  return windowed.includes(aggregate) ? `a message has the key of a closed window of ${aggregate}` : undefined
}

/** As `insightsOf` in coordinator/insights.ts makes them: they go to the same topic. */
const WINDOW_KEY = /^(.+)\/\d+\/\d+$/

const isThere = async (admin: Admin, topic: string): Promise<boolean> =>
  admin.fetchTopicMetadata({ topics: [topic] }).then(
    () => true,
    (error: unknown) => {
      if (isUnknownTopic(error)) return false
      throw adminFailure(`cannot describe topic ${topic}`, error)
    },
  )

export interface InsightsSender extends AsyncDisposable {
  send(pipeline: string, messages: readonly { readonly key: string; readonly value: object }[]): Promise<void>
}

/** Connects when there is something to send. */
export const insightsSender = (settings: Settings, pipelineOf: PipelineByName): InsightsSender => {
  const kafka = kafkaClient(settings, 'home')
  const made = new Set<string>()
  let producer: Producer | undefined

  const connected = async (): Promise<Producer> => {
    producer ??= kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: true,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    return producer
  }
  const ensure = async (topic: string) => {
    if (made.has(topic)) return
    const admin = kafka.admin()
    await admin.connect()
    try {
      // Whoever may not make topics may still write one that is there.
      if (await isThere(admin, topic)) return void made.add(topic)
      const { brokers } = await admin.describeCluster()
      const replicationFactor = settings.replication ?? Math.min(3, brokers.length)
      const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
      await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor, configEntries }] })
      made.add(topic)
    } finally {
      await admin.disconnect()
    }
  }

  return {
    async send(name, messages) {
      const pipeline = await pipelineOf(name)
      if (pipeline === undefined) return
      const topic = namesOf(name, pipeline.topics, settings.topicPrefix).clusterInsights
      await ensure(topic)
      const records = messages.map(({ key, value }) => ({ key, value: JSON.stringify(value) }))
      await (await connected()).send({ topic, acks: -1, messages: records })
    },
    async [Symbol.asyncDispose]() {
      await producer?.disconnect()
    },
  }
}

/** What the coordinator needs to publish insights: the pipelines' own algebra, and a producer on the insights topics. */
import { Partitioners, type Producer } from 'kafkajs'
import type { EventBus } from '../cluster/events.ts'
import { kafkaClient } from '../cluster/kafka/client.ts'
import { insightsTopic } from '../cluster/protocol/names.ts'
import type { WindowParts } from '../cluster/redis/views-read.ts'
import type { Settings } from '../cluster/settings.ts'
import type { Combine, Insight } from '../coordinator/insights.ts'
import { type Aggregates, finalize } from '../pipelines/api/aggregates.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { combine } from './insights.ts'

/** The configured pipeline's or a shipped one's; insights of any other are left to a coordinator that has its module. */
export const combiners = (settings: Settings, events: EventBus) => {
  const known = new Map<string, Promise<Combine | undefined>>()
  const find = async (name: string): Promise<Combine | undefined> => {
    for (const candidate of [settings.pipeline, name]) {
      const loaded = await loadPipeline(candidate).catch(() => undefined)
      if (loaded?.pipeline.name === name) return combinerOf(loaded.pipeline.aggregates ?? {})
    }
    events.emit('skipped', { detail: `insights of ${name} are not published: its module is not known here` })
    return undefined
  }
  return (name: string): Promise<Combine | undefined> => {
    const found = known.get(name) ?? find(name)
    known.set(name, found)
    return found
  }
}

const combinerOf =
  (aggregates: Aggregates): Combine =>
  (window: WindowParts) => {
    const values = combine(aggregates, [window]).flatMap((combined) => [...combined.values])
    return Object.fromEntries(
      values.flatMap(([name, value]) => {
        const aggregate = aggregates[name]
        return aggregate === undefined ? [] : [[name, finalize(aggregate, value)]]
      }),
    )
  }

export interface InsightsSender extends AsyncDisposable {
  send(pipeline: string, insights: readonly Insight[]): Promise<void>
}

/** Connects when there is something to send. */
export const insightsSender = (settings: Settings): InsightsSender => {
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
    async send(pipeline, insights) {
      const topic = insightsTopic(pipeline, settings.topicPrefix)
      await ensure(topic)
      const messages = insights.map(({ key, value }) => ({ key, value: JSON.stringify(value) }))
      await (await connected()).send({ topic, acks: -1, messages })
    },
    async [Symbol.asyncDispose]() {
      await producer?.disconnect()
    },
  }
}

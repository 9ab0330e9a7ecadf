/**
 * Puts a sink together and keeps it going. Where Kafka was lost, or the topic has got partitions, it opens again from the
 * committed position; before its first opening every failure ends the command.
 */
import { readFileSync } from 'node:fs'
import { MillraceError, messageOf } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import { adminFailure } from '../cluster/kafka/admin-failures.ts'
import { pause } from '../cluster/kafka/failures.ts'
import { namesOf, sinkNamesOf } from '../cluster/protocol/names.ts'
import type { Settings } from '../cluster/settings.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { awaitOpenSearch, openSearchClient } from '../sinks/opensearch/client.ts'
import { bindTopic, checkIndexName, ensureIndex } from '../sinks/opensearch/index-setup.ts'
import { loginMapping, type Mapping } from '../sinks/opensearch/mapping.ts'
import { OpenSearchStore } from '../sinks/opensearch/store.ts'
import { requireAcls } from './acls/preflight.ts'
import { sinkAcls } from './acls/table.ts'
import { type SinkPlan, SinkSession } from './sink-session.ts'

export interface SinkWishes {
  readonly topic?: string
  readonly index: string
  readonly shards: number
  readonly replicas: number
  readonly mapping?: string
  readonly bulkRecords: number
  readonly bulkBytes: number
  readonly bulks: number
  readonly untilEnd: boolean
}

export interface SinkSummary {
  readonly topic: string
  readonly index: string
  readonly indexed: number
  readonly rejected: number
  readonly lag: number
}

interface Around {
  readonly events: EventBus
  readonly signal: AbortSignal
}

const REOPEN_MS = 1000
const BACKOFF = { firstMs: 200, maxMs: 10_000 }

/** @throws MillraceError whatever keeps it from starting or from going on; the position is what was committed */
export const sinkIntoOpenSearch = async (
  settings: Settings,
  wishes: SinkWishes,
  around: Around,
): Promise<SinkSummary> => {
  const topic = wishes.topic ?? (await outputOf(settings))
  const names = sinkNamesOf(topic, checkIndexName(wishes.index), settings.topicPrefix)
  const mapping = wishes.mapping === undefined ? loginMapping : mappingIn(wishes.mapping)
  const client = openSearchClient(settings)
  try {
    await requireAcls(settings, sinkAcls(names))
    const waiting = (detail: string) => around.events.emit('waiting', { for: 'OpenSearch', detail })
    await awaitOpenSearch(client, { timeout: settings.startTimeout, signal: around.signal, waiting })
    const makeIndex = () => ensureIndex(client, { ...wishes, mapping })
    if (!around.signal.aborted) await makeIndex()
    const store = new OpenSearchStore({
      client,
      index: names.index,
      fields: new Set(Object.keys(mapping.properties)),
      timeout: settings.requestTimeout,
      backoff: BACKOFF,
      ensureIndex: makeIndex,
      events: around.events,
    })
    const bind = (topicId: string) => bindTopic(client, names, topicId)
    const tally = { indexed: 0, rejected: 0 }
    return await keepGoing(settings, { ...wishes, names, store, tally, bind }, around)
  } finally {
    await client.close()
  }
}

/** Ends with the signal, or at the end of the topic where that is wished. */
const keepGoing = async (settings: Settings, plan: SinkPlan, around: Around): Promise<SinkSummary> => {
  const { events, signal } = around
  for (let opened = false; ; ) {
    try {
      await using session = await SinkSession.open(settings, plan, events)
      opened = true
      const outcome = await session.run(signal)
      if (outcome === 'ended') return { ...placeOf(plan), ...plan.tally, lag: await session.lag() }
    } catch (error) {
      const failure = asOurs(error)
      if (!opened || !isLost(failure) || signal.aborted) throw failure
      events.emit('waiting', { for: 'Kafka', detail: messageOf(failure) })
      await pause(REOPEN_MS, signal)
    }
  }
}

/** kafkajs's own, wherever one comes through, with a code and a remedy. */
const asOurs = (error: unknown): unknown =>
  error instanceof Error && error.name.startsWith('KafkaJS')
    ? adminFailure('the sink cannot go on', error)
    : error

/** `timeout`: no leader answers. */
const isLost = (error: unknown): boolean =>
  error instanceof MillraceError && ['kafka-unreachable', 'timeout'].includes(error.code)

const placeOf = ({ names: { topic, index } }: SinkPlan) => ({ topic, index })

/** @throws MillraceError `usage` where the pipeline has none */
const outputOf = async (settings: Settings): Promise<string> => {
  const { pipeline } = await loadPipeline(settings.pipeline)
  const { output } = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix)
  if (output !== undefined) return output
  throw new MillraceError('usage', `pipeline ${pipeline.name} has no output topic`, {
    remedy: 'name one with --topic',
  })
}

const mappingIn = (path: string): Mapping => {
  const unfit = (why: string, cause?: unknown) =>
    new MillraceError('usage', `--mapping ${path} ${why}`, {
      remedy: 'give a JSON file such as {"properties":{"name":{"type":"keyword"}}}',
      cause,
    })
  const mapping = parsed(path, unfit)
  if (typeof mapping !== 'object' || mapping === null || !('properties' in mapping))
    throw unfit('has no properties')
  return mapping as Mapping
}

const parsed = (path: string, unfit: (why: string, cause: unknown) => MillraceError): unknown => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw unfit(error instanceof SyntaxError ? 'is not JSON' : 'cannot be read', error)
  }
}

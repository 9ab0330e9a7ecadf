/** One opening of a sink: connections, position, reader. When it is disposed nothing of it is left. */
import type { Admin } from 'kafkajs'
import { MillraceError } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import { describeTopic, ensure } from '../cluster/kafka/admin.ts'
import { boundedReader } from '../cluster/kafka/bounded-reader.ts'
import { kafkaClient } from '../cluster/kafka/client.ts'
import { pause } from '../cluster/kafka/failures.ts'
import { KafkaReader } from '../cluster/kafka/reader.ts'
import { type TopicDescription, wantedTopics } from '../cluster/kafka/topics.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import { namesOf, type SinkNames } from '../cluster/protocol/names.ts'
import type { Settings } from '../cluster/settings.ts'
import { KafkaCommits } from '../sinks/commits.ts'
import { Sink, type Store, type Tally } from '../sinks/sink.ts'
import { connectTopology } from './host.ts'

export interface SinkPlan {
  readonly names: SinkNames
  readonly store: Store
  readonly tally: Tally
  /** Refuses to write records of a topic that was made again over those of the old one. */
  readonly bind: (topicId: string) => Promise<void>
  readonly bulkRecords: number
  readonly bulkBytes: number
  readonly bulks: number
  readonly untilEnd: boolean
}

interface Parts {
  readonly topology: Topology
  readonly sink: Sink
  readonly plan: SinkPlan
  readonly events: EventBus
}

const STATUS_MS = 5000
const COMMIT_MS = 250

export class SinkSession implements AsyncDisposable {
  readonly #parts: Parts
  readonly #stack: AsyncDisposableStack

  private constructor(parts: Parts, stack: AsyncDisposableStack) {
    this.#parts = parts
    this.#stack = stack
  }

  /** The predecessor is fenced before the position is read. @throws MillraceError `topic-missing`, `topic-mismatch`, ... */
  static async open(settings: Settings, plan: SinkPlan, events: EventBus): Promise<SinkSession> {
    await using stack = new AsyncDisposableStack()
    const { names } = plan
    const kafka = kafkaClient(settings, 'home')
    const admin = stack.adopt(kafka.admin(), (one) => one.disconnect())
    await admin.connect()
    const topology = stack.adopt(await connectTopology(settings, 'home', 'millrace-sink'), (one) =>
      one.connections.close(),
    )
    await ensure(admin, lettersLike(await sourceTopic(admin, names.topic), names.deadLetters, settings))
    const { topicId, partitions } = await topology.topic(names.topic)
    await plan.bind(topicId)
    const { transactionTimeout } = settings
    const commits = await KafkaCommits.open({ kafka, admin, names, transactionTimeout })
    stack.adopt(commits, (one) => one.close())
    const all = [...partitions.keys()]
    const until = plan.untilEnd ? await topology.ends(names.topic, all) : undefined
    const reader = new KafkaReader(topology, { ...settings, topic: names.topic }, events)
    const sink = new Sink({
      ...plan,
      topic: names.topic,
      reader: until === undefined ? reader : boundedReader(reader, until),
      commits,
      positions: new Map([...(await topology.offsets(names.topic, all)), ...(await commits.positions())]),
      ...(until && { until }),
      limits: { recordBytes: settings.maxRecordBytes, decompressedBytes: settings.maxDecompressedBytes },
      heldBytes: settings.mailboxBytes,
      bulksInFlight: plan.bulks,
      commitInterval: COMMIT_MS,
      grace: settings.grace,
    })
    return new SinkSession({ topology, sink, plan, events }, stack.move())
  }

  /** `grown`: the topic has got partitions, so another opening is due. */
  async run(signal: AbortSignal): Promise<'ended' | 'grown'> {
    const grown = new AbortController()
    const over = new AbortController()
    const watching = this.#watch(grown, over.signal)
    try {
      await this.#parts.sink.run(AbortSignal.any([signal, grown.signal]))
    } finally {
      over.abort()
      await watching
    }
    return grown.signal.aborted && !signal.aborted ? 'grown' : 'ended'
  }

  /** Committed records behind the position. */
  async lag(): Promise<number> {
    const { topology, sink, plan } = this.#parts
    const ends = await topology.ends(plan.names.topic, [...sink.positions.keys()])
    return [...ends].reduce((sum, [one, end]) => sum + Math.max(0, end - (sink.positions.get(one) ?? 0)), 0)
  }

  async #watch(grown: AbortController, over: AbortSignal): Promise<void> {
    const { topology, sink, plan, events } = this.#parts
    const { names, tally } = plan
    let told = ''
    while (!over.aborted) {
      await pause(STATUS_MS, over)
      // Where Kafka is away the reader says so; numbers come again with it.
      const lag = await this.lag().catch(() => undefined)
      const status = { index: names.index, ...tally, lag: lag ?? 0 }
      if (lag !== undefined && JSON.stringify(status) !== told)
        events.emit('indexed', { ...status, heldBytes: sink.held })
      told = JSON.stringify(status)
      await topology.refresh(names.topic).catch(() => undefined)
      const partitions = topology.knownTopic(names.topic)?.partitions.length ?? 0
      if (partitions > sink.positions.size && !plan.untilEnd) grown.abort()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

const sourceTopic = async (admin: Admin, topic: string): Promise<TopicDescription> => {
  const found = await describeTopic(admin, topic)
  if (found !== undefined) return found
  throw new MillraceError('topic-missing', `topic ${topic} does not exist`)
}

/** Made as a pipeline's dead-letter topic is made like its input. */
const lettersLike = (source: TopicDescription, name: string, settings: Settings) =>
  wantedTopics(namesOf('', { input: source.name, deadLetters: name }), source, 1, settings).filter(
    ({ role }) => role === 'dead-letters',
  )

/** Builds a worker with all that it needs: connections, topics, Redis. The one place where the parts of a worker process meet. */
import type { Redis } from 'ioredis'
import { MillraceError } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import { ensureTopics } from '../cluster/kafka/admin.ts'
import { kafkaClient, kafkaConfig, type Which } from '../cluster/kafka/client.ts'
import { asMillraceError, isLost } from '../cluster/kafka/failures.ts'
import { Connections } from '../cluster/kafka/seam.ts'
import { Topology } from '../cluster/kafka/topology.ts'
import { type Names, namesOf, type TopicNames } from '../cluster/protocol/names.ts'
import { type Writer, writesOf } from '../cluster/protocol/writes.ts'
import { requireAccess } from '../cluster/redis/access.ts'
import { closeRedis, connectRedis } from '../cluster/redis/client.ts'
import { type Keys, keysOf } from '../cluster/redis/keys.ts'
import { viewPublisher } from '../cluster/redis/views.ts'
import { viewReader } from '../cluster/redis/views-read.ts'
import { redisWorkers, type Workers } from '../cluster/redis/workers.ts'
import type { Environment, Settings } from '../cluster/settings.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { resolveOptions } from '../pipelines/api/options.ts'
import type { Sampling } from '../workers/tracing.ts'
import { Worker } from '../workers/worker.ts'
import { requireHome } from './home.ts'
import { keepApart } from './register.ts'
import { connectRetries } from './retries.ts'
import { type StartPoint, startOffsets } from './tail.ts'

export interface HostOptions {
  /** Shipped name or path. */
  readonly pipeline: string
  readonly worker: string
  readonly env: Environment
  readonly events: EventBus
  /** Runs the pipeline under another name: own state, own output topics. */
  readonly as?: string
  readonly from?: StartPoint
  readonly to?: StartPoint
  /** It ran before and knows its plan: Redis away is no reason to wait. */
  readonly resumes?: boolean
  /** False while the own lease is not fresh; absent without a coordinator. */
  readonly mayFence?: () => boolean
  /** Which records are traced; absent: none. */
  readonly sampling?: Sampling | undefined
}

export interface Host {
  readonly worker: Worker
  readonly pipeline: AnyPipeline
  readonly redis: Redis
  /** The roster in which it registers, and as whom. */
  readonly workers: Workers
  readonly writer: Writer
  readonly names: Names
  readonly name: string
  readonly slots: number
  /** Both clusters on connections that no record takes: a long poll for the next plan would hold up a restore. */
  readonly input: Topology
  readonly home: Topology
  /** Where the run ends, by partition; absent where it does not. */
  readonly to?: ReadonlyMap<number, number>
  /** After the worker has stopped. */
  close(): Promise<void>
}

/** Produce sockets per leader: a broker answers one connection's requests in order, so shards share a few. */
const LANES = 3
/** kafka.apache.org/protocol: AddPartitionsToTxn v4 came with server-side verification. */
const ADD_PARTITIONS = 24
const VERIFIED_VERSION = 4

/** Names of a pipeline run under another name: whatever it writes is apart from the original's. */
export const renamed = ({ input, output, deadLetters, insights }: TopicNames, as: string): TopicNames => ({
  input,
  ...(output === undefined ? {} : { output: `${output}-${as}` }),
  deadLetters: `${deadLetters}-${as}`,
  ...(insights === undefined ? {} : { insights: `${insights}-${as}` }),
})

/** @param clientId what the brokers' own logs and quotas call this process */
export const connectTopology = async (
  settings: Settings,
  which: Which,
  clientId = 'millrace',
): Promise<Topology> => {
  const connections = new Connections({ ...kafkaConfig(settings, which), clientId })
  try {
    await connections.connect()
  } catch (error) {
    await connections.close()
    throw asMillraceError(error, kafkaConfig(settings, which).brokers as string[])
  }
  return new Topology(connections)
}

const connectKafka = async (settings: Settings, clientId: string) => {
  const connect = (which: Which) => connectTopology(settings, which, clientId)
  const input = await connect('input')
  const home = await connect('home')
  const further = Array.from({ length: LANES - 1 }, () => connect('home'))
  // Whoever looks whether the flow moves must not wait behind it.
  const [inputAsks, homeAsks, ...lanes] = await Promise.all([connect('input'), connect('home'), ...further])
  const asks = { input: inputAsks, home: homeAsks }
  await requireVerification(home)
  const admins = {
    input: kafkaClient(settings, 'input').admin(),
    home: kafkaClient(settings, 'home').admin(),
  }
  await Promise.all([admins.input.connect(), admins.home.connect()])
  const close = async () => {
    await Promise.all([
      admins.input.disconnect(),
      admins.home.disconnect(),
      input.connections.close(),
      ...[home, ...lanes, inputAsks, homeAsks].map(({ connections }) => connections.close()),
    ])
  }
  return { input, home, lanes: [home, ...lanes] as const, asks, admins, close }
}

/** @throws MillraceError whatever keeps a worker from starting, before anything is half made */
export const hostWorker = async (settings: Settings, options: HostOptions): Promise<Host> => {
  const { pipeline, url } = await loadPipeline(options.pipeline)
  const name = options.as ?? pipeline.name
  const names = namesOf(
    name,
    options.as === undefined ? pipeline.topics : renamed(pipeline.topics, options.as),
    settings.topicPrefix,
  )
  const pipelineOptions = resolveOptions(pipeline, options.env)
  const { events, resumes = false } = options
  const redis = await connectRedis(settings, { events, mayBeAway: resumes })
  if (!resumes) await requireAccess(redis, settings.clusterId)
  const keys = keysOf(settings.clusterId)
  const workers = redisWorkers(redis, keys)
  const writer = { pipeline: name, worker: options.worker, startedAt: Date.now(), writes: writesOf(names) }
  await keepApart({ workers, writer })
  const kafka = await connectKafka(settings, options.worker)
  const { input, home, lanes, asks, admins } = kafka
  await requireHome(settings, { redis, admin: admins.home })
  const { slots, topics, input: inputTopic } = await ensureTopics(admins, names, settings)
  await Promise.all([input.topic(names.input), ...lanes.map((lane) => lane.refresh(names.state))])
  const { topicId: stateTopicId } = await home.topic(names.state)
  const soloEpoch = options.mayFence === undefined ? await epochAbove(redis, keys, name) : undefined
  const bounds = await boundsOf(input, names.input, options)
  const retries = await connectRetries({ settings, names, name, worker: options.worker, redis, events })
  const worker = new Worker({
    ...bounds,
    settings,
    pipeline,
    url,
    options: pipelineOptions,
    names,
    name,
    worker: options.worker,
    input,
    lanes,
    asks,
    admin: admins.input,
    inputTopic,
    topics,
    slots,
    stateTopicId,
    views: (slot, epoch) =>
      viewPublisher(redis, keys, { pipeline: name, slot, stateTopicId, epoch: soloEpoch ?? epoch }),
    mayFence: options.mayFence ?? (() => true),
    retries: retries.parts,
    sampling: options.sampling,
    events,
  })
  const close = async () => {
    await retries.close()
    await kafka.close()
    closeRedis(redis)
  }
  const to = bounds.to && { to: bounds.to }
  return { ...to, worker, workers, writer, pipeline, names, name, slots, redis, ...asks, close }
}

/** Without a coordinator nobody counts epochs: whoever starts a run decides, also over parts of a state that was given up. */
const epochAbove = async (redis: Redis, keys: Keys, name: string): Promise<number> => {
  const heads = await viewReader(redis, keys).heads(name)
  return 1 + Math.max(0, ...heads.map(({ epoch }) => epoch))
}

/** Offsets of the points that the run is bounded by. */
const boundsOf = async (input: Topology, topic: string, { from, to }: HostOptions) => {
  const ends = await input.ends(topic, [...(await input.topic(topic)).partitions.keys()])
  return {
    ...(from && { from: await startOffsets(input, topic, ends, from) }),
    ...(to && { to: await startOffsets(input, topic, ends, to) }),
  }
}

const requireVerification = async (home: Topology): Promise<void> => {
  for (const nodeId of home.connections.nodeIds()) {
    // One that has just gone is still named by the others.
    const versions = await home.connections.versions(nodeId).catch((error: unknown) => {
      if (!isLost(error)) throw error
    })
    if (versions && (versions[ADD_PARTITIONS]?.maxVersion ?? 0) < VERIFIED_VERSION)
      throw new MillraceError(
        'kafka-too-old',
        `broker ${nodeId} lacks AddPartitionsToTxn v${VERIFIED_VERSION}: a zombie's late write could join its successor's transaction`,
      )
  }
}

/** Builds a coordinator with all that it needs. The one place where the parts of a coordinator process meet. */

import type { Redis } from 'ioredis'
import { systemClock } from '../cluster/actor/clock.ts'
import type { EventBus } from '../cluster/events.ts'
import { ensureClusterTopic } from '../cluster/kafka/admin.ts'
import { kafkaClient } from '../cluster/kafka/client.ts'
import { kafkaPlanLog } from '../cluster/kafka/plan-log.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import { TransactionWriter } from '../cluster/kafka/writer.ts'
import { clusterTopic, coordinatorTransactionalId } from '../cluster/protocol/names.ts'
import { requireAccess } from '../cluster/redis/access.ts'
import { closeRedis, connectRedis } from '../cluster/redis/client.ts'
import { claimHome, type Home } from '../cluster/redis/home.ts'
import { type Keys, keysOf } from '../cluster/redis/keys.ts'
import { redisLeases } from '../cluster/redis/lease.ts'
import { viewReader } from '../cluster/redis/views-read.ts'
import { redisWorkers } from '../cluster/redis/workers.ts'
import type { Settings } from '../cluster/settings.ts'
import { publishClusterInsights } from '../coordinator/cluster-insights.ts'
import { type Coordinator, startCoordinator } from '../coordinator/coordinator.ts'
import { type HttpOptions, serveHttp } from '../coordinator/http.ts'
import { publishInsights } from '../coordinator/insights.ts'
import { loginLink } from '../coordinator/login-link.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import { postAlerts } from './alert-hook.ts'
import { combinerOf, insightsSender, knownPipelines, spokesmanFor } from './coordinator-insights.ts'
import { targetsOf, watchCoordinator } from './coordinator-telemetry.ts'
import { requireHome } from './home.ts'
import { connectTopology } from './host.ts'
import { httpTokenOf } from './http-token.ts'
import { QUEUES_PATH, queuePages } from './queues.ts'
import type { Telemetry } from './telemetry.ts'

export interface CoordinatorHostOptions {
  readonly id: string
  readonly events: EventBus
  readonly telemetry: Telemetry
  readonly signal?: AbortSignal
}

export interface CoordinatorHost {
  readonly coordinator: Coordinator
  /** Of its HTTP server. */
  readonly url: string
  /** Where its token was made here: whoever sets one knows it, and then it stands in no log. */
  readonly loginLink: string | undefined
  /** Resolves when the signal aborts; rejects when the coordinator has failed. */
  until(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** @throws MillraceError whatever keeps it from starting */
export const hostCoordinator = async (
  settings: Settings,
  { id, events, telemetry, signal }: CoordinatorHostOptions,
): Promise<CoordinatorHost> => {
  await using begun = new AsyncDisposableStack()
  const httpToken = await httpTokenOf(settings)
  const redis = begun.adopt(await connectRedis(settings, { events, ...(signal && { signal }) }), closeRedis)
  const keys = keysOf(settings.clusterId)
  await requireAccess(redis, settings.clusterId)
  const home = await prepared(settings, redis)
  const topology = begun.adopt(await connectTopology(settings, 'home'), ({ connections }) =>
    connections.close(),
  )
  const coordinator = startCoordinator({
    ...overRedis(redis, keys),
    id,
    log: planLog(settings, topology, events, () => coordinator.leads()),
    clock: systemClock,
    events,
    leaseMs: settings.lease,
    claimHome: () => claimHome(redis, keys, home),
  })
  begun.defer(() => coordinator.stop())
  // Ends after those who alert.
  if (settings.alertHook !== undefined) begun.use(postAlerts(settings.alertHook, { events }))
  begun.use(publishing(settings, redis, coordinator, events))
  const queues = begun.use(queuePages(settings, redis, () => pipelinesOf(coordinator)))
  const pages = { [QUEUES_PATH]: queues.handle }
  const targets = () => targetsOf(redis, keys)
  const options = { ...httpOptions({ ...settings, httpToken }), pages, targets }
  const http = begun.adopt(await serveHttp(options, coordinator.status), (server) => server.close())
  begun.use(await watchCoordinator({ settings, redis, keys, id, telemetry, coordinator }))
  const all = begun.move()
  return {
    coordinator,
    url: http.url,
    loginLink: httpToken === settings.httpToken ? undefined : loginLink(http.url, httpToken),
    until: (until) => untilEnd(coordinator, until),
    close: () => all.disposeAsync(),
  }
}

const pipelinesOf = (coordinator: Coordinator): readonly string[] => {
  const { plans, workers } = coordinator.status()
  return [...new Set([...plans, ...workers].map(({ pipeline }) => pipeline))]
}

const httpOptions = ({ httpPort, httpHost, httpUrl, ...login }: Settings): HttpOptions => ({
  port: httpPort,
  host: httpHost,
  ...(httpUrl !== undefined && { url: httpUrl.replace(/\/+$/, '') }),
  login: { token: login.httpToken, user: login.httpUser, password: login.httpPassword },
  home: QUEUES_PATH,
})

/** Closed windows, and what the pipelines say of their totals: by whoever leads. */
const publishing = (
  settings: Settings,
  redis: Redis,
  coordinator: Coordinator,
  events: EventBus,
): AsyncDisposable => {
  const pipelineOf = knownPipelines(settings, events)
  const sender = insightsSender(settings, pipelineOf)
  const shared = {
    clock: systemClock,
    events,
    reader: viewReader(redis, keysOf(settings.clusterId)),
    leads: () => coordinator.status().leading,
    pipelines: () => coordinator.status().plans,
    send: sender.send,
  }
  const of = async <T>(name: string, make: (pipeline: AnyPipeline) => T): Promise<T | undefined> => {
    const pipeline = await pipelineOf(name)
    return pipeline && make(pipeline)
  }
  const actors = [
    publishInsights({ ...shared, combineFor: (name) => of(name, combinerOf) }),
    publishClusterInsights({
      ...shared,
      spokesmanOf: (name) => of(name, (pipeline) => spokesmanFor(pipeline, settings.alertAt)),
    }),
  ]
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(actors.map((actor) => actor.stop()))
      await sender[Symbol.asyncDispose]()
    },
  }
}

const overRedis = (redis: Redis, keys: Keys) => {
  const views = viewReader(redis, keys)
  return {
    leases: redisLeases(redis, keys),
    workers: redisWorkers(redis, keys),
    viewEpoch: async (pipeline: string) =>
      Math.max(0, ...(await views.heads(pipeline)).map(({ epoch }) => epoch)),
  }
}

const planLog = (settings: Settings, topology: Topology, events: EventBus, mayFence: () => boolean) => {
  const { topicPrefix, transactionTimeout, requestTimeout } = settings
  const transactionalId = coordinatorTransactionalId(topicPrefix)
  const writer = new TransactionWriter(topology, {
    transactionalId,
    transactionTimeout,
    requestTimeout,
    mayFence,
  })
  const notice = (detail: string) => events.emit('skipped', { detail })
  return kafkaPlanLog({ topology, topic: clusterTopic(topicPrefix), notice }, writer)
}

/** The keys in Redis are ours, and the topic of the plans is there. */
const prepared = async (settings: Settings, redis: Redis): Promise<Home> => {
  const admin = kafkaClient(settings, 'home').admin()
  await admin.connect()
  try {
    const home = await requireHome(settings, { redis, admin })
    await ensureClusterTopic(admin, settings)
    return home
  } finally {
    await admin.disconnect()
  }
}

const untilEnd = async (coordinator: Coordinator, signal: AbortSignal) => {
  const interrupted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const failed = coordinator.stopped.then((ending) => {
    if (ending.why === 'failed') throw ending.error
  })
  await Promise.race([interrupted, failed])
}

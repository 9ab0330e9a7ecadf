/**
 * The one file that reaches into kafkajs 2.2.4: its connections (bootstrap, TLS, SASL, request queue, throttling)
 * carry our own raw requests. Everything deep is typed here, and any other version is refused at load.
 * Law: a request is sent at most once; who resends, and what, is decided by the caller.
 */
import { createRequire } from 'node:module'
import type { KafkaConfig } from 'kafkajs'
import { ByteWriter } from './bytes.ts'
import { isAuthenticationFailure } from './failures.ts'
import { replySocket } from './reply-socket.ts'

const require = createRequire(import.meta.url)

export const PINNED_KAFKAJS = '2.2.4'
export const installedKafkajs = (): string => (require('kafkajs/package.json') as { version: string }).version
if (installedKafkajs() !== PINNED_KAFKAJS)
  throw new Error(
    `kafkajs ${installedKafkajs()} is installed, but cluster/kafka/seam.ts knows the inside of ${PINNED_KAFKAJS} only`,
  )

interface Socket {
  readonly destroyed: boolean
  destroy(error?: Error): void
  cork(): void
  uncork(): void
  write(bytes: Uint8Array): void
}
interface Answer {
  readonly size: number
  readonly payload: Buffer
}
interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
  push(request: {
    readonly entry: {
      readonly apiKey: number
      readonly apiName: string
      readonly apiVersion: number
      readonly correlationId: number
      readonly resolve: (answer: Answer) => void
      readonly reject: (error: Error) => void
    }
    readonly expectResponse: boolean
    readonly requestTimeout: number | null
    readonly sendRequest: () => void
  }): void
  maybeThrottle(ms: number): void
}
interface Connection {
  readonly clientId: string
  readonly sasl: unknown
  readonly requestQueue: RequestQueue
  readonly socket?: Socket
  /** What has come of a reply that is not whole yet. */
  chunks: Buffer[]
  bytesBuffered: number
  bytesNeeded: number
  isConnected(): boolean
  isAuthenticated(): boolean
  connect(): Promise<boolean>
  authenticate(): Promise<void>
  nextCorrelationId(): number
  processData(bytes: Buffer): void
}
interface ConnectionPool {
  host: string
  port: number
  pool: Connection[]
  send(call: InnerCall): Promise<unknown>
}
/** One request as kafkajs makes it; `parse` throws for what the broker calls an error. */
interface InnerCall {
  readonly request: unknown
  readonly response: { decode(bytes: Buffer): Promise<unknown>; parse(reply: unknown): Promise<unknown> }
}
type MetadataCall = (wanted: { topics: readonly string[]; allowAutoTopicCreation: boolean }) => InnerCall
type ApiVersions = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>>
interface InnerBroker {
  connectionPool: ConnectionPool
  versions: ApiVersions | null
  isConnected(): boolean
  connect(): Promise<void>
  offsetCommit(request: OffsetCommit): Promise<unknown>
  metadata(topics?: readonly string[]): Promise<unknown>
  lookupRequest(apiKey: number, definition: unknown): MetadataCall
}
interface InnerBrokerPool {
  readonly brokers: Readonly<Record<string, InnerBroker>>
  readonly seedBroker: InnerBroker
  createSeedBroker(): Promise<void>
}
interface InnerCluster {
  readonly brokerPool: InnerBrokerPool
  connect(): Promise<void>
  disconnect(): Promise<void>
  refreshMetadata(): Promise<void>
  getNodeIds(): string[]
  findBroker(target: { nodeId: string }): Promise<InnerBroker>
  findGroupCoordinator(target: { groupId: string }): Promise<InnerBroker>
}
type InnerClusterConstructor = new (options: Record<string, unknown>) => InnerCluster

const Cluster = require('kafkajs/src/cluster/index.js') as InnerClusterConstructor
const { createLogger } = require('kafkajs/src/loggers/index.js') as {
  createLogger(options: { level: number; logCreator: () => () => void }): unknown
}
const { prototype: connectionPrototype } = require('kafkajs/src/network/connection.js') as {
  prototype: Connection
}
const { prototype: queuePrototype } = require('kafkajs/src/network/requestQueue/index.js') as {
  prototype: RequestQueue
}
const { prototype: brokerPrototype } = require('kafkajs/src/broker/index.js') as { prototype: InnerBroker }
const { prototype: poolPrototype } = require('kafkajs/src/cluster/brokerPool.js') as {
  prototype: InnerBrokerPool
}
const metadataRequest = require('kafkajs/src/protocol/requests/metadata/index.js') as unknown

const SIZE_BYTES = 4
const connectSocket = connectionPrototype.connect
/**
 * kafkajs keeps the half of a reply that a broken socket left behind and takes the bytes of the next socket for its rest:
 * from then on no reply of that connection is understood.
 */
connectionPrototype.connect = function (): Promise<boolean> {
  if (!this.isConnected()) {
    this.chunks = []
    this.bytesBuffered = 0
    this.bytesNeeded = SIZE_BYTES
  }
  return connectSocket.call(this)
}

const scheduleCheck = queuePrototype.scheduleCheckPendingRequests
/** kafkajs (its issue 1751) looks every millisecond, for ever and on every connection, for requests that wait: now only if some do. */
queuePrototype.scheduleCheckPendingRequests = function (): void {
  if (this.pending.length > 0) scheduleCheck.call(this)
}

const processData = connectionPrototype.processData
/** It joins what it kept, mostly nothing, with what comes: a copy of every reply. */
connectionPrototype.processData = function (bytes): void {
  if (this.bytesBuffered === 0) this.chunks = []
  processData.call(this, bytes)
}

const { createSeedBroker } = poolPrototype
/**
 * kafkajs turns to the next bootstrap address where one refuses, but not where one accepts and closes, as a forwarded port does
 * while nobody is behind it: such a one counts as refused now.
 */
poolPrototype.createSeedBroker = async function (): Promise<void> {
  await createSeedBroker.call(this)
  const seed = this.seedBroker
  const connect = seed.connect
  seed.connect = () =>
    connect.call(seed).catch((error: Error) => {
      if (error.name === 'KafkaJSConnectionClosedError') error.name = 'KafkaJSConnectionError'
      throw error
    })
}

const METADATA_API = 3
const { metadata } = brokerPrototype
/**
 * Where kafkajs wants to know the brokers it asks for all topics of the cluster, and fails if any partition of any of them has no
 * leader: one that nobody has missed for a year would keep all of us from connecting. Of all topics that is no error now.
 */
brokerPrototype.metadata = function (topics = []): Promise<unknown> {
  if (topics.length > 0) return metadata.call(this, topics)
  const ask = this.lookupRequest(METADATA_API, metadataRequest)
  const { request, response } = ask({ topics, allowAutoTopicCreation: false })
  return this.connectionPool.send({ request, response: { ...response, parse: async (reply) => reply } })
}

export interface OffsetCommit {
  groupId: string
  groupGenerationId: number
  memberId: string
  topics: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[]
}

/** One raw request. Flexible versions begin their body with the empty tagged fields of the header, and so do their replies. */
export interface RawRequest<T> {
  readonly apiKey: number
  readonly apiVersion: number
  readonly name: string
  /** Written one behind the other; unchanged until the reply. */
  readonly body: readonly Uint8Array[]
  readonly decode: (payload: Buffer) => T
  /** ms after which the call is given up, connecting included; the connection's own request timeout where absent or shorter. */
  readonly timeout?: number
}

/** Raw decoders return it, or the broker's quotas would be ignored. */
export interface Throttled {
  readonly throttleMs: number
}

/** kafkajs gives its broker two sockets: fetches have one to themselves, because a broker answers one connection's requests in order. */
const FETCH_API = 1
const REQUEST_TIMEOUT_MS = 30_000
const laneOf = (apiKey: number): number => (apiKey === FETCH_API ? 1 : 0)

export class Connections {
  readonly #cluster: InnerCluster
  readonly #connecting = new WeakMap<Connection, Promise<unknown>>()
  readonly #requestTimeout: number
  readonly #seeds: number

  /** @param config what `kafkaConfig(settings)` makes of the settings: brokers, ssl, sasl, timeouts (ms) */
  constructor(config: KafkaConfig) {
    this.#requestTimeout = config.requestTimeout ?? REQUEST_TIMEOUT_MS
    this.#seeds = Array.isArray(config.brokers) ? config.brokers.length : 1
    this.#cluster = new Cluster({
      connectionTimeout: 5000,
      authenticationTimeout: 10_000,
      reauthenticationThreshold: 10_000,
      ...config,
      requestTimeout: this.#requestTimeout,
      logger: createLogger({ level: 0, logCreator: () => () => undefined }),
      retry: { retries: 0 },
      enforceRequestTimeout: true,
      socketFactory: replySocket,
      metadataMaxAge: 300_000,
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
    })
  }

  /** @throws kafkajs's own connection and authentication errors (see failures.ts) */
  async connect(): Promise<void> {
    // A failed try has turned to the next bootstrap broker by itself: each gets one.
    for (let left = this.#seeds; ; left--) {
      try {
        await this.#cluster.connect()
        return await this.#cluster.refreshMetadata()
      } catch (error) {
        if (left <= 1 || isAuthenticationFailure(error)) throw error
      }
    }
  }

  /** Learns of brokers that came or moved. */
  refresh(timeout = this.#requestTimeout): Promise<void> {
    return within(timeout, 'metadata', () => this.connect())
  }

  nodeIds(): number[] {
    return this.#cluster.getNodeIds().map(Number)
  }

  async versions(nodeId: number): Promise<ApiVersions> {
    const broker = await this.#cluster.findBroker({ nodeId: String(nodeId) })
    return broker.versions ?? {}
  }

  /** Ends within the timeout, whatever kafkajs does: its own timers stop where a socket dies at the wrong moment. */
  call<T extends Throttled>(nodeId: number, raw: RawRequest<T>): Promise<T> {
    const timeout = Math.min(raw.timeout ?? this.#requestTimeout, this.#requestTimeout)
    return within(timeout, raw.name, (isOver) => this.#send(nodeId, raw, isOver))
  }

  async #send<T extends Throttled>(nodeId: number, raw: RawRequest<T>, isOver: () => boolean): Promise<T> {
    const broker = await this.#cluster.findBroker({ nodeId: String(nodeId) })
    const connection = broker.connectionPool.pool[laneOf(raw.apiKey)]
    if (connection === undefined) throw new Error('kafkajs connection pool has no such lane')
    if (!connection.isConnected()) await this.#connectOnce(connection)
    if (connection.sasl && !connection.isAuthenticated()) await connection.authenticate()
    if (connection.socket?.destroyed) throw new Error('the connection is being closed')
    const reply = raw.decode(await exchange(connection, raw, isOver))
    connection.requestQueue.maybeThrottle(reply.throttleMs)
    return reply
  }

  /** Two calls on a closed connection would otherwise open two sockets. */
  async #connectOnce(connection: Connection): Promise<void> {
    const pending =
      this.#connecting.get(connection) ??
      connection.connect().finally(() => this.#connecting.delete(connection))
    this.#connecting.set(connection, pending)
    await pending
  }

  /** Closes the sockets to a broker at once: what is in flight fails, nothing waits for a late reply. */
  drop(nodeId: number): void {
    for (const connection of this.#cluster.brokerPool.brokers[nodeId]?.connectionPool.pool ?? [])
      connection.socket?.destroy(new Error('dropped'))
  }

  async commitOffsets(request: OffsetCommit): Promise<void> {
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId: request.groupId })
    await coordinator.offsetCommit(request)
  }

  /** What is still in flight fails: kafkajs would wait for its replies. */
  async close(): Promise<void> {
    for (const nodeId of this.nodeIds()) this.drop(nodeId)
    await this.#cluster.disconnect()
  }
}

/**
 * Through the connection's own queue (in-flight requests, timeouts, throttling), but past its encoder, which would copy
 * a megabyte of batches three times: what is written are the caller's own bytes, in place.
 */
const exchange = async (
  connection: Connection,
  raw: RawRequest<unknown>,
  isOver: () => boolean,
): Promise<Buffer> => {
  const correlationId = connection.nextCorrelationId()
  const segments = framed(raw, correlationId, connection.clientId)
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  connection.requestQueue.push({
    entry: {
      apiKey: raw.apiKey,
      apiName: raw.name,
      apiVersion: raw.apiVersion,
      correlationId,
      resolve,
      reject,
    },
    expectResponse: true,
    requestTimeout: raw.timeout ?? null,
    sendRequest: () => {
      // Held back by a quota until nobody waits for it: its bytes may have become others by now.
      if (!isOver()) writeAll(connection.socket, segments)
    },
  })
  return (await promise).payload
}

/** Size, request header v1, body. A flexible body brings the last byte of header v2 itself. */
const framed = (raw: RawRequest<unknown>, correlationId: number, clientId: string): readonly Uint8Array[] => {
  const header = new ByteWriter(64)
    .int16(raw.apiKey)
    .int16(raw.apiVersion)
    .int32(correlationId)
    .string(clientId)
    .done()
  const size = raw.body.reduce((sum, segment) => sum + segment.length, header.length)
  return [new ByteWriter(4).int32(size).done(), header, ...raw.body]
}

const writeAll = (socket: Socket | undefined, segments: readonly Uint8Array[]): void => {
  if (socket === undefined) throw new Error('the connection has no socket')
  socket.cork()
  for (const segment of segments) socket.write(segment)
  socket.uncork()
}

const within = <T>(ms: number, name: string, work: (isOver: () => boolean) => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    let over = false
    const timer = setTimeout(() => {
      over = true
      reject(new Error(`${name} was not answered within ${ms} ms`))
    }, ms)
    work(() => over)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })

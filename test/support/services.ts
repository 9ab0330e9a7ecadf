/** Real Kafka and Redis for tests: shared ones for the run, and own ones for tests that break them. */
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { inject } from 'vitest'
import type { Properties } from '../../cli/services/broker-config.ts'
import { runKafkaTool } from '../../cli/services/java.ts'
import { type KafkaCluster, startKafkaCluster } from '../../cli/services/kafka.ts'
import { ensureKafkaInstall } from '../../cli/services/native.ts'
import { type RedisServer, startRedis } from '../../cli/services/redis.ts'
import type { Ran } from '../../cli/services/run.ts'
import { readSettings } from '../../cluster/settings.ts'
import { type FaultProxy, startProxy } from './proxy.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    servicesDoor: number
  }
}

export interface SharedServices {
  readonly kafka: readonly string[]
  readonly redis: string
}

export type DoorReply =
  | { readonly ok: true; readonly services: SharedServices }
  | { readonly ok: false; readonly reason: string }

/** One broker and one Redis shared by all test files: use topic names, groups and key prefixes of your own. Call it in `beforeAll`. */
export const useServices = async (): Promise<SharedServices> => {
  const reply = JSON.parse(await text(connect(inject('servicesDoor'), '127.0.0.1'))) as DoorReply
  if (!reply.ok) throw new Error(`no local services: ${reply.reason}`)
  return reply.services
}

/** Unique within the run and beyond it. */
export const uniqueName = (prefix: string): string =>
  `${prefix}-${process.pid}-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e6).toString(36)}`

const dataDir = resolve(readSettings({}).dataDir)
const log = (line: string) => console.error(line)
const scratch = (name: string): Promise<string> => mkdtemp(join(tmpdir(), `millrace-${name}-`))

const orRemove = async <T>(folder: string, starting: Promise<T>): Promise<T> => {
  try {
    return await starting
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

export interface OwnKafkaOptions {
  readonly brokers?: number
  readonly properties?: Properties
  /** By broker, the port that it advertises instead of its own. */
  readonly advertisedPorts?: readonly number[]
  readonly heapMb?: number
}

/** A cluster of the test's own, for `await using`: its brokers may be killed. Data goes when it is stopped. */
export const startOwnKafka = async (
  options: OwnKafkaOptions = {},
): Promise<KafkaCluster & AsyncDisposable> => {
  const install = await ensureKafkaInstall(dataDir, log)
  const folder = await scratch('kafka')
  const cluster = await orRemove(folder, startKafkaCluster({ heapMb: 384, ...options, install, folder }))
  const stop = async () => {
    // Its data goes: an orderly end would only cost time, all the more where a quorum is gone.
    await Promise.all(cluster.brokers.map((broker) => broker.kill()))
    await rm(folder, { recursive: true, force: true })
  }
  return { ...cluster, stop, [Symbol.asyncDispose]: stop }
}

/** The same with a proxy before each broker: `addresses` are the proxies'. */
export const startKafkaBehindProxies = async (
  options: Omit<OwnKafkaOptions, 'advertisedPorts'> = {},
): Promise<KafkaCluster & { readonly proxies: readonly FaultProxy[] } & AsyncDisposable> => {
  const proxies = await Promise.all(Array.from({ length: options.brokers ?? 1 }, () => startProxy()))
  const cluster = await startOwnKafka({ ...options, advertisedPorts: proxies.map(({ port }) => port) })
  for (const [index, proxy] of proxies.entries()) proxy.target = cluster.brokers[index]?.address ?? ''
  const stop = async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()))
    await cluster.stop()
  }
  return { ...cluster, proxies, stop, [Symbol.asyncDispose]: stop }
}

/** A Redis of the test's own; `directives` such as { 'maxmemory-policy': 'allkeys-lru' }. */
export const startOwnRedis = async (
  directives: Readonly<Record<string, string>> = {},
): Promise<RedisServer & AsyncDisposable> => {
  const folder = await scratch('redis')
  const redis = await orRemove(folder, startRedis({ command: 'redis-server', folder, directives }))
  const stop = async () => {
    await redis.kill()
    await rm(folder, { recursive: true, force: true })
  }
  return Object.assign(redis, { stop, [Symbol.asyncDispose]: stop })
}

/** A data folder of the test's own that borrows the downloaded Kafka: for commands that start services themselves. */
export const borrowedDataDir = async (): Promise<{ readonly path: string } & AsyncDisposable> => {
  await ensureKafkaInstall(dataDir, log)
  const path = await scratch('data')
  await symlink(join(dataDir, 'kafka'), join(path, 'kafka'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** One of Kafka's own command line tools, e.g. `org.apache.kafka.tools.consumer.group.ConsumerGroupCommand`. */
export const kafkaTool = async (mainClass: string, args: readonly string[]): Promise<Ran> =>
  runKafkaTool(await ensureKafkaInstall(dataDir, log), mainClass, args)

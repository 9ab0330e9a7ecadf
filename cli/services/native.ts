/** Kafka and Redis as processes of this machine: tools, jars, start, and the state file that says what runs. */
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MillraceError } from '../../cluster/errors.ts'
import type { Settings } from '../../cluster/settings.ts'
import { aptInstall } from './apt.ts'
import type { KafkaInstall } from './java.ts'
import { type KafkaCluster, startKafkaCluster } from './kafka.ts'
import { installKafka, kafkaIsInstalled } from './kafka-install.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { isAlive, markOf, readState, removeState, type ServicesState, writeState } from './state.ts'
import {
  type FoundTools,
  findTools,
  missingTools,
  type Needs,
  remedyFor,
  type ToolName,
  thisMachine,
} from './tools.ts'

/** What the system must have; where it lacks something it is installed, or the error names the command. */
export const ensureTools = async (
  needs: Needs,
  options: { readonly dataDir: string; readonly yes?: boolean; readonly log: (line: string) => void },
): Promise<FoundTools> => {
  const needed = new Set<ToolName>(needs.redis ? ['redis'] : [])
  if (needs.kafka) needed.add('java')
  if (needs.kafka && !(await kafkaIsInstalled(options.dataDir))) needed.add('maven')
  const found = await findTools()
  const missing = missingTools(found, needed)
  if (missing.length === 0) return found
  const lacking = missing.map(({ need }) => need).join(', ')
  const remedy = remedyFor(missing, thisMachine())
  if (remedy.by === 'person')
    throw new MillraceError('services', `missing: ${lacking}`, { remedy: remedy.command })
  const result = await aptInstall(remedy.packages, { yes: options.yes ?? false, log: options.log })
  const after = await findTools()
  const still = missingTools(after, needed)
  if (still.length === 0) return after
  const reason = result.installed ? 'what apt brought is not enough' : result.reason
  throw new MillraceError('services', `missing: ${still.map(({ need }) => need).join(', ')} (${reason})`, {
    remedy: `apt-get install -y ${remedy.packages.join(' ')}`,
  })
}

/** The Kafka that local services run, for its own command line tools and for tests. */
export const ensureKafkaInstall = async (
  dataDir: string,
  log: (line: string) => void,
  yes = false,
): Promise<KafkaInstall> => {
  const tools = await ensureTools({ kafka: true, redis: false }, { dataDir, log, yes })
  return installWith(tools, dataDir, log)
}

const installWith = (
  tools: FoundTools,
  dataDir: string,
  log: (line: string) => void,
): Promise<KafkaInstall> => {
  if (tools.java === undefined) throw new MillraceError('internal', 'Java was found and is gone')
  return installKafka({ dataDir, java: tools.java, maven: tools.maven, log })
}

export interface NativeOptions {
  readonly settings: Settings
  readonly needs: Needs
  readonly folder: string
  readonly brokers?: number
  /** A second Kafka cluster, for outputs and state. */
  readonly home?: boolean
  readonly yes?: boolean
  readonly keep?: boolean
  readonly log: (line: string) => void
}

/** Where clients from elsewhere look for two clusters; taken only with two. */
const INPUT_PORT = 29_092
const HOME_PORT = 29_093

/** What was started, as far as this file is concerned. */
interface Started {
  readonly state: ServicesState
  stop(): Promise<void>
}

export const startNative = async (options: NativeOptions): Promise<Started> => {
  const { needs, folder, settings } = options
  const tools = await ensureTools(needs, { ...options, dataDir: resolve(settings.dataDir) })
  const starting = {
    ...(needs.kafka && (await startClusters(options, tools))),
    ...(needs.redis &&
      tools.redis !== undefined && {
        redis: startRedis({ command: tools.redis.path, folder: join(folder, 'redis') }),
      }),
  }
  const { kafka, home, redis } = await allOrNone(starting)
  const parts = [...(kafka?.brokers ?? []), ...(home?.brokers ?? []), ...(redis === undefined ? [] : [redis])]
  const stop = async () => {
    await Promise.all(parts.map((part) => part.stop()))
    await removeState(folder)
  }
  const state: ServicesState = {
    kind: 'native',
    owner: options.keep ? null : markOf('owner', process.pid),
    kafka: kafka?.addresses ?? [],
    ...(home && { home: home.addresses }),
    redis: redis?.url ?? '',
    processes: parts.map((part) => markOf(part.name, part.pid)),
  }
  await writeState(folder, state)
  if (options.keep) await Promise.all(parts.map((part) => part.leave()))
  return { state, stop }
}

interface Clusters {
  readonly kafka: Promise<KafkaCluster>
  readonly home?: Promise<KafkaCluster>
}

const startClusters = async (options: NativeOptions, tools: FoundTools): Promise<Clusters> => {
  const install = await installWith(tools, resolve(options.settings.dataDir), options.log)
  const start = (name: 'kafka' | 'home', wishedPorts: readonly number[]) =>
    startKafkaCluster({
      install,
      name,
      folder: join(options.folder, name),
      brokers: options.brokers ?? 1,
      wishedPorts,
      startTimeout: options.settings.startTimeout,
    })
  if (options.home !== true) return { kafka: start('kafka', []) }
  return { kafka: start('kafka', [INPUT_PORT]), home: start('home', [HOME_PORT]) }
}

interface Starting {
  readonly kafka?: Promise<KafkaCluster>
  readonly home?: Promise<KafkaCluster>
  readonly redis?: Promise<RedisServer>
}

type Running = { readonly [K in keyof Starting]-?: Awaited<Starting[K]> | undefined }

/** Where one does not start the others are stopped. */
const allOrNone = async (starting: Starting): Promise<Running> => {
  const results = await Promise.allSettled(Object.values(starting))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(
      results.map(async (result) => {
        if (result.status === 'fulfilled') await result.value.stop()
      }),
    )
    throw failed.reason
  }
  const [kafka, home, redis] = await Promise.all([starting.kafka, starting.home, starting.redis])
  return { kafka, home, redis }
}

const GRACE_MS = 5000

/**
 * Ends the processes that the state file names: left running, or orphans of a crash. Returns when they are gone.
 * @throws MillraceError `services` where a live process owns them
 */
export const endLeftovers = async (folder: string): Promise<void> => {
  const state = await readState(folder)
  if (state === undefined) return
  if (state.owner !== null && isAlive(state.owner))
    throw new MillraceError('services', `they belong to the running process ${state.owner.pid}`, {
      remedy: 'end it first, or take another --name',
    })
  const alive = () => state.processes.filter(isAlive)
  for (const { pid } of alive()) process.kill(pid, 'SIGTERM')
  const deadline = Date.now() + GRACE_MS
  while (alive().length > 0) {
    if (Date.now() > deadline) for (const { pid } of alive()) process.kill(pid, 'SIGKILL')
    await delay(20)
  }
  await removeState(folder)
}

/** Kafka and Redis as processes of this machine: tools, jars, start, and the state file that says what runs. */
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MillraceError } from '../../cluster/errors.ts'
import type { Settings } from '../../cluster/settings.ts'
import { aptInstall } from './apt.ts'
import type { KafkaInstall } from './java.ts'
import { startKafkaCluster } from './kafka.ts'
import { installKafka, kafkaIsInstalled } from './kafka-install.ts'
import { startRedis } from './redis.ts'
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
  readonly yes?: boolean
  readonly keep?: boolean
  readonly log: (line: string) => void
}

/** What was started, as far as this file is concerned. */
interface Started {
  readonly state: ServicesState
  stop(): Promise<void>
}

export const startNative = async (options: NativeOptions): Promise<Started> => {
  const { needs, folder, settings } = options
  const tools = await ensureTools(needs, { ...options, dataDir: resolve(settings.dataDir) })
  const [kafka, redis] = await bothOrNone(
    needs.kafka ? startKafka(options, tools) : undefined,
    needs.redis && tools.redis !== undefined
      ? startRedis({ command: tools.redis.path, folder: join(folder, 'redis') })
      : undefined,
  )
  const parts = [...(kafka?.brokers ?? []), ...(redis === undefined ? [] : [redis])]
  const stop = async () => {
    await Promise.all(parts.map((part) => part.stop()))
    await removeState(folder)
  }
  const state: ServicesState = {
    kind: 'native',
    owner: options.keep ? null : markOf('owner', process.pid),
    kafka: kafka?.addresses ?? [],
    redis: redis?.url ?? '',
    processes: parts.map((part) => markOf(part.name, part.pid)),
  }
  await writeState(folder, state)
  if (options.keep) await Promise.all(parts.map((part) => part.leave()))
  return { state, stop }
}

const startKafka = async (options: NativeOptions, tools: FoundTools) => {
  const install = await installWith(tools, resolve(options.settings.dataDir), options.log)
  return startKafkaCluster({
    install,
    folder: join(options.folder, 'kafka'),
    brokers: options.brokers ?? 1,
    startTimeout: options.settings.startTimeout,
  })
}

interface Stoppable {
  stop(): Promise<void>
}

/** Where one does not start the other is stopped. */
const bothOrNone = async <A extends Stoppable, B extends Stoppable>(
  first: Promise<A> | undefined,
  second: Promise<B> | undefined,
): Promise<[A | undefined, B | undefined]> => {
  const results = await Promise.allSettled([first, second])
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(
      results.map(async (result) => {
        if (result.status === 'fulfilled') await result.value?.stop()
      }),
    )
    throw failed.reason
  }
  return Promise.all([first, second])
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

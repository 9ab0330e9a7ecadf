/**
 * Where Kafka and Redis come from. Order: addresses in the settings > what runs already under this name > Docker Compose where an
 * engine answers > native processes. Each of the two is looked at by itself: with one address given only the other is started.
 */
import { readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Settings } from '../../cluster/settings.ts'
import { composeEngine, startCompose, stopCompose } from './compose.ts'
import { withLock } from './lock.ts'
import { endLeftovers, startNative } from './native.ts'
import { type ProcessMark, readState, type ServicesState, stateAnswers } from './state.ts'
import type { Needs } from './tools.ts'

interface Addresses {
  /** Bootstrap servers of the input's cluster. */
  readonly kafka: readonly string[]
  /** Bootstrap servers of the cluster that holds outputs and state. */
  readonly home: readonly string[]
  readonly redis: string
  /** Ends what this call started; nothing else. */
  stop(): Promise<void>
}

/** `found`: somebody else started them (`services up`, or another command of this name) and stops them. */
export type Services =
  | (Addresses & { readonly kind: 'given' })
  | (Addresses & { readonly kind: 'compose'; readonly found: boolean })
  | (Addresses & {
      readonly kind: 'native'
      readonly found: boolean
      readonly processes: readonly ProcessMark[]
    })

export interface ServicesOptions {
  /** Keeps several apart: folder under the data folder, and project name in Docker. */
  readonly name: string
  readonly log: (line: string) => void
  readonly brokers?: number
  /** A second Kafka cluster for outputs and state, unless the settings name the input's or that one. Native only. */
  readonly twoClusters?: boolean
  /** Install missing system packages without asking. */
  readonly yes?: boolean
  /** Leave Docker out. */
  readonly native?: boolean
  /** Leave them running when this process ends. */
  readonly keep?: boolean
}

const needsOf = (settings: Settings): Needs => ({
  kafka: settings.kafkaBrokers.length === 0,
  redis: settings.redisUrl === '',
})

export const servicesFolder = (settings: Settings, name: string, brokers = 1): string => {
  const needs = needsOf(settings)
  const part = needs.kafka === needs.redis ? '' : needs.kafka ? '-kafka' : '-redis'
  return join(resolve(settings.dataDir), 'services', `${name}${brokers > 1 ? `-${brokers}` : ''}${part}`)
}

/** Names under which services were ever started here. */
export const servicesNamed = async (settings: Settings, prefix: string): Promise<readonly string[]> => {
  const names = await readdir(join(resolve(settings.dataDir), 'services')).catch(() => [])
  return names.filter((name) => name.startsWith(prefix)).sort()
}

/** @throws MillraceError `services` where they do not start */
export const ensureServices = async (settings: Settings, options: ServicesOptions): Promise<Services> => {
  const needs = needsOf(settings)
  if (!needs.kafka && !needs.redis) {
    const services = given(settings)
    options.log(`services: ${described(services)}`)
    return services
  }
  const folder = servicesFolder(settings, options.name, options.brokers)
  return withLock(folder, settings.startTimeout, async () => {
    const found = await findServices(settings, options)
    if (found !== undefined) {
      options.log(`services: found ${described(found)}`)
      return found
    }
    await endLeftovers(folder)
    const services = await start(settings, options, { needs, folder })
    options.log(`services: ${described(services)}`)
    return services
  })
}

/** What the settings name or what already runs; nothing is started. */
export const findServices = async (
  settings: Settings,
  options: { readonly name: string; readonly brokers?: number },
): Promise<Services | undefined> => {
  const needs = needsOf(settings)
  if (!needs.kafka && !needs.redis) return given(settings)
  const state = await readState(servicesFolder(settings, options.name, options.brokers))
  if (state === undefined || !(await stateAnswers(state))) return undefined
  return servicesOf(settings, state, true, async () => {})
}

const start = async (
  settings: Settings,
  options: ServicesOptions,
  place: { readonly needs: Needs; readonly folder: string },
): Promise<Services> => {
  const { log } = options
  const home = options.twoClusters === true && place.needs.kafka && settings.homeBrokers.length === 0
  const composable = options.native !== true && !home && (options.brokers ?? 1) === 1
  if (composable && (await composeEngine())) {
    const compose = await startCompose({ ...options, ...place, startTimeout: settings.startTimeout })
    if (compose.started) return servicesOf(settings, compose.state, false, compose.stop)
    log(`services: Docker Compose does not start them (${compose.reason}); going on without it`)
  }
  const native = await startNative({ ...options, ...place, home, settings })
  return servicesOf(settings, native.state, false, native.stop)
}

const servicesOf = (
  settings: Settings,
  state: ServicesState,
  found: boolean,
  stop: () => Promise<void>,
): Services => {
  const kafka = state.kafka.length > 0 ? state.kafka : settings.kafkaBrokers
  const own = state.home ?? kafka
  const home = settings.homeBrokers.length > 0 ? settings.homeBrokers : own
  const redis = state.redis === '' ? settings.redisUrl : state.redis
  const addresses = { kafka, home, redis, found, stop }
  if (state.kind === 'compose') return { kind: 'compose', ...addresses }
  return { kind: 'native', ...addresses, processes: state.processes }
}

const given = (settings: Settings): Services => {
  const kafka = settings.kafkaBrokers
  const home = settings.homeBrokers.length > 0 ? settings.homeBrokers : kafka
  return { kind: 'given', kafka, home, redis: settings.redisUrl, stop: async () => {} }
}

/** The Redis address may hold a password: only its host is shown. */
export const described = (services: Services): string => {
  const how = { given: 'as given', compose: 'Docker Compose', native: 'native' }[services.kind]
  const { home } = addressesOf(services)
  const apart = home.length === 0 ? '' : ` (input) and ${home.join(',')} (outputs and state)`
  return `${how}, Kafka at ${services.kafka.join(',')}${apart}, Redis at ${new URL(services.redis).host}`
}

/** As settings say them: `home` is empty where it is the input's cluster. */
export const addressesOf = ({ kafka, home, redis }: Services) => ({
  kafka,
  home: home.join() === kafka.join() ? [] : home,
  redis,
})

/** Stops what runs under this name, whoever started it. Returns false where nothing did. */
export const stopServices = async (
  settings: Settings,
  options: { readonly name: string; readonly brokers?: number },
): Promise<boolean> => {
  const folder = servicesFolder(settings, options.name, options.brokers)
  return withLock(folder, settings.startTimeout, async () => {
    const state = await readState(folder)
    if (state === undefined) return false
    await endLeftovers(folder)
    if (state.kind === 'compose') await stopCompose(basename(folder))
    return true
  })
}

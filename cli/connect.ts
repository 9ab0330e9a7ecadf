/** How commands reach Kafka and Redis: addresses in the settings, else local services that run already. */
import { MillraceError } from '../cluster/errors.ts'
import { EventBus } from '../cluster/events.ts'
import { awaitKafka, type Which } from '../cluster/kafka/client.ts'
import { readSettings, type Settings, settingsTable } from '../cluster/settings.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { note } from './output.ts'
import { addressesOf, findServices, type Services, servicesNamed } from './services/services.ts'

/** Name under which `millrace services up` starts them. */
export const LOCAL = 'local'

export type Service = Which | 'redis'

/**
 * The environment, with the addresses of running local services where it names none.
 * @param named the pipeline a command is about, where it is named
 */
export const resolvedSettings = async (named?: string): Promise<Settings> => {
  const settings = readSettings(process.env)
  const services = await findServices(settings, { name: LOCAL })
  if (services === undefined) return demoSettings(settings, named)
  return withAddresses(settings, services)
}

/** Settings that point at these services. */
export const withAddresses = (settings: Settings, services: Services): Settings => {
  const { kafka: kafkaBrokers, home: homeBrokers, redis: redisUrl } = addressesOf(services)
  return { ...settings, kafkaBrokers, homeBrokers, redisUrl }
}

/** Services and cluster id of the demo of a pipeline. */
export const demoName = (pipeline: string): string => `${DEMO}${pipeline}`
const DEMO = 'demo-'

/** The same of `millrace dev`. */
export const devName = (pipeline: string): string => `${DEV}${pipeline}`
const DEV = 'dev-'

/** A demo of the pipeline that runs in another terminal can be looked at without any setting. */
const demoSettings = async (settings: Settings, named = settings.pipeline): Promise<Settings> => {
  // What cannot be loaded is told by whoever needs the pipeline.
  const loaded = await loadPipeline(named).catch(() => undefined)
  const name = loaded?.pipeline.name ?? named
  for (const clusterId of [demoName(name), devName(name)]) {
    const services = await findServices(settings, { name: clusterId })
    if (services !== undefined) return { ...withAddresses(settings, services), clusterId }
  }
  return settings
}

/** Where no pipeline is named: the only one that runs. */
const onlyOne = async (settings: Settings, prefixes: readonly string[]): Promise<Settings> => {
  const running: Settings[] = []
  const names = await Promise.all(prefixes.map((prefix) => servicesNamed(settings, prefix)))
  for (const clusterId of names.flat()) {
    const services = await findServices(settings, { name: clusterId })
    if (services !== undefined) running.push({ ...withAddresses(settings, services), clusterId })
  }
  const [only, another] = running
  return only === undefined || another !== undefined ? settings : only
}

/**
 * Settings with which the wanted services can be reached; it waits up to startTimeout, saying for what.
 * @param about the pipeline a command names; `anyDemo`: a demo or `dev` of any other serves as well; `anyDev`: a `dev` alone
 * @throws MillraceError `kafka-unreachable`, `kafka-auth`, `redis-unreachable`
 */
export const connectedSettings = async (
  wanted: readonly Service[],
  about: {
    readonly pipeline?: string | undefined
    readonly anyDemo?: boolean
    readonly anyDev?: boolean
  } = {},
): Promise<Settings> => {
  const resolved = await resolvedSettings(about.pipeline)
  const found = resolved.kafkaBrokers.length > 0 || process.env[settingsTable.pipeline.env] !== undefined
  const others = [...(about.anyDemo ? [DEMO] : []), ...(about.anyDemo || about.anyDev ? [DEV] : [])]
  const settings = found ? resolved : await onlyOne(resolved, others)
  const clusters = clustersOf(settings, wanted)
  if (clusters.length > 0 && settings.kafkaBrokers.length === 0) throw nothingRuns('kafka')
  if (wanted.includes('redis') && settings.redisUrl === '') throw nothingRuns('redis')
  for (const which of clusters) await awaitKafka(settings, which, { waiting })
  return settings
}

/** Mostly input and home are one cluster. */
const clustersOf = (settings: Settings, wanted: readonly Service[]): readonly Which[] => {
  const clusters = wanted.filter((service) => service !== 'redis')
  return settings.homeBrokers.length > 0 ? clusters : clusters.slice(0, 1)
}

/** Tells for what a start waits. */
export const redisEvents = (): EventBus => {
  const events = new EventBus()
  events.on('waiting', ({ for: what, detail }) => waiting(what, detail))
  return events
}

export const waiting = (what: string, why: string): void => note(`waiting for ${what} (${why})`)

const missing = {
  kafka: { code: 'kafka-unreachable', name: 'Kafka', setting: 'MILLRACE_KAFKA_BROKERS' },
  redis: { code: 'redis-unreachable', name: 'Redis', setting: 'MILLRACE_REDIS_URL' },
} as const

const nothingRuns = (service: keyof typeof missing): MillraceError => {
  const { code, name, setting } = missing[service]
  return new MillraceError(code, `no ${name} address is set and no local services run`, {
    remedy: `start them with \`millrace services up\`, or set ${setting}`,
  })
}

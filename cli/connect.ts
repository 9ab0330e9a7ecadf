/** How commands reach Kafka and Redis: addresses in the settings, else local services that run already. */
import { MillraceError } from '../cluster/errors.ts'
import { EventBus } from '../cluster/events.ts'
import { awaitKafka, type Which } from '../cluster/kafka/client.ts'
import { readSettings, type Settings } from '../cluster/settings.ts'
import { note } from './output.ts'
import { findServices } from './services/services.ts'

/** Name under which `millrace services up` starts them. */
export const LOCAL = 'local'

export type Service = Which | 'redis'

/** The environment, with the addresses of running local services where it names none. */
export const resolvedSettings = async (): Promise<Settings> => {
  const settings = readSettings(process.env)
  const services = await findServices(settings, { name: LOCAL })
  if (services === undefined) return demoSettings(settings)
  const { kafka: kafkaBrokers, redis: redisUrl } = services
  return { ...settings, kafkaBrokers, redisUrl }
}

/** Services and cluster id of the demo of a pipeline. */
export const demoName = (pipeline: string): string => `demo-${pipeline}`

/** A demo of the pipeline that runs in another terminal can be looked at without any setting. */
const demoSettings = async (settings: Settings): Promise<Settings> => {
  const clusterId = demoName(settings.pipeline)
  const services = await findServices(settings, { name: clusterId })
  if (services === undefined) return settings
  const { kafka: kafkaBrokers, redis: redisUrl } = services
  return { ...settings, kafkaBrokers, redisUrl, clusterId }
}

/**
 * Settings with which the wanted services can be reached; it waits up to startTimeout, saying for what.
 * @throws MillraceError `kafka-unreachable`, `kafka-auth`, `redis-unreachable`
 */
export const connectedSettings = async (wanted: readonly Service[]): Promise<Settings> => {
  const settings = await resolvedSettings()
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

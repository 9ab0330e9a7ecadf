/**
 * Settings: the environment in, one value out. The table stands in settings/table.ts.
 * Law: what comes out has every setting; a name or a value that is not understood never passes silently.
 */
import { MillraceError } from './errors.ts'
import { nearest } from './nearest.ts'
import { type Environment, fileVariable, secretText } from './settings/given.ts'
import { type Setting, type SettingName, type Settings, settingsTable } from './settings/table.ts'

export { type Environment, fileVariable, isGiven, secretText } from './settings/given.ts'
export { type Settings, settingsTable } from './settings/table.ts'
export { parseDuration } from './settings/values.ts'

/** Options of the pipeline itself travel as MILLRACE_OPTION_<NAME>; see pipelines/api. */
export const OPTION_PREFIX = 'MILLRACE_OPTION_'

const entries = Object.entries(settingsTable) as readonly (readonly [SettingName, Setting<unknown>])[]
const isSecret = ({ hide }: Setting<unknown>): boolean => hide !== undefined
const knownNames = entries.flatMap(([, entry]) =>
  isSecret(entry) ? [entry.env, fileVariable(entry.env)] : [entry.env],
)

/**
 * @throws MillraceError `settings` on an unknown MILLRACE_* name (with the nearest known one), a value that does not parse,
 * or values that contradict each other.
 */
export const readSettings = (env: Environment, overrides: Partial<Settings> = {}): Settings => {
  for (const name of Object.keys(env)) refuseUnknown(name)
  const read = Object.fromEntries(entries.map(([key, entry]) => [key, readOne(entry, env)]))
  const settings = { ...read, ...overrides } as Settings
  refuseContradictions(settings)
  return settings
}

/** Kubernetes injects such names for a Service called `millrace-...`. */
const injectedName = /_(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT_.*)$/
/** For a Service called `millrace-http` it even injects MILLRACE_HTTP_PORT: its value gives it away. */
const injectedValue = /^(tcp|udp|sctp):\/\//

const refuseUnknown = (name: string): void => {
  if (!name.startsWith('MILLRACE_') || knownNames.includes(name)) return
  if (name.startsWith(OPTION_PREFIX) || injectedName.test(name)) return
  const hint = `did you mean ${nearest(name, knownNames)}?`
  throw new MillraceError('settings', `unknown setting ${name}; ${hint}`)
}

/** The text that counts: an empty one is none, so that a deployment can switch a setting off. */
const given = (entry: Setting<unknown>, env: Environment): string | undefined => {
  if (isSecret(entry)) return secretText(entry.env, env)
  const raw = env[entry.env]
  if (raw === undefined || raw === '') return undefined
  return entry.env.endsWith('_PORT') && injectedValue.test(raw) ? undefined : raw
}

const readOne = (entry: Setting<unknown>, env: Environment): unknown => {
  const raw = given(entry, env)
  if (raw === undefined) return entry.default
  try {
    return entry.kind.parse(raw)
  } catch (error) {
    const shown = entry.hide === undefined ? ` is ${JSON.stringify(raw)}` : ''
    throw new MillraceError(
      'settings',
      `${entry.env}${shown}: ${error instanceof Error ? error.message : error}`,
    )
  }
}

const refuseContradictions = (settings: Settings): void => {
  const fault = tlsFault(settings) ?? saslFault(settings)
  if (fault !== undefined) throw new MillraceError('settings', fault)
}

const tlsFault = (settings: Settings): string | undefined => {
  const { kafkaTls, kafkaTlsCa, kafkaTlsCert, kafkaTlsKey } = settings
  const { redisUrl, redisTlsCa, redisTlsCert, redisTlsKey } = settings
  if ((kafkaTlsCert === undefined) !== (kafkaTlsKey === undefined))
    return 'MILLRACE_KAFKA_TLS_CERT and MILLRACE_KAFKA_TLS_KEY belong together; only one is set'
  if (!kafkaTls && (kafkaTlsCa ?? kafkaTlsCert) !== undefined)
    return 'a MILLRACE_KAFKA_TLS_* file is set, but MILLRACE_KAFKA_TLS is not true'
  if ((redisTlsCert === undefined) !== (redisTlsKey === undefined))
    return 'MILLRACE_REDIS_TLS_CERT and MILLRACE_REDIS_TLS_KEY belong together; only one is set'
  if (!redisUrl.startsWith('rediss:') && (redisTlsCa ?? redisTlsCert) !== undefined)
    return 'a MILLRACE_REDIS_TLS_* file is set, but MILLRACE_REDIS_URL does not begin with rediss://'
  return undefined
}

const saslFault = (settings: Settings): string | undefined => {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername, kafkaOauthModule } = settings
  if (mechanism !== 'oauthbearer' && kafkaOauthModule !== undefined)
    return `MILLRACE_KAFKA_OAUTH_MODULE is set, but MILLRACE_KAFKA_SASL_MECHANISM is ${mechanism}`
  if (mechanism === 'oauthbearer')
    return kafkaOauthModule === undefined
      ? 'MILLRACE_KAFKA_SASL_MECHANISM is oauthbearer, but MILLRACE_KAFKA_OAUTH_MODULE names no module'
      : undefined
  return mechanism !== 'none' && kafkaSaslUsername === ''
    ? `MILLRACE_KAFKA_SASL_MECHANISM is ${mechanism}, but no user name is set`
    : undefined
}

export interface ExplainedSetting {
  readonly name: SettingName
  readonly env: string
  readonly value: string
  readonly from: 'default' | 'environment' | 'file' | 'local services'
}

/** What counts and where it comes from, for people: secrets are hidden. */
export const explainSettings = (env: Environment, resolved: Settings): readonly ExplainedSetting[] =>
  entries.map(([name, entry]) => {
    const text = entry.kind.show(resolved[name])
    const own = given(entry, env) !== undefined
    const local = !own && text !== entry.kind.show(entry.default)
    const source = env[entry.env] ? 'environment' : 'file'
    return {
      name,
      env: entry.env,
      value: entry.hide?.(text) ?? text,
      from: own ? source : local ? 'local services' : 'default',
    }
  })

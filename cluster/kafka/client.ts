/**
 * kafkajs clients from the settings. Their own log lines are noise to an operator (each is reported again as an error
 * with a remedy), so they show at log level `debug` only.
 */
import type { ConnectionOptions } from 'node:tls'
import { Kafka, type KafkaConfig, logLevel, type Mechanism, type SASLOptions } from 'kafkajs'
import { MillraceError, messageOf } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { tlsFiles, tlsReason } from '../tls.ts'
import { kafkaErrors } from './admin-failures.ts'
import { asMillraceError, isAuthenticationFailure, ownError, pause } from './failures.ts'
import { isClosed, listenerMismatch, wantsLogin } from './listener.ts'
import { oauthMechanism } from './oauth.ts'
// It mends kafkajs itself: whoever gets a client from here has it mended.
import './seam.ts'

/** `input` holds the input topic, `home` everything that Millrace writes; mostly they are one cluster. */
export type Which = 'input' | 'home'

/** Some ten seconds in all. Said here, as kafkajs has other ones of its own where NODE_ENV is `test`: what is tested shall be what runs. */
const RETRY = { initialRetryTime: 50, factor: 0.02, multiplier: 1.5, maxRetryTime: 1000, retries: 15 }

export const brokersOf = (settings: Settings, which: Which): readonly string[] =>
  which === 'home' && settings.homeBrokers.length > 0 ? settings.homeBrokers : settings.kafkaBrokers

/** @throws MillraceError `kafka-unreachable` where no address is known, `settings` where a TLS file cannot be read */
export const kafkaConfig = (settings: Settings, which: Which): KafkaConfig => {
  const brokers = [...brokersOf(settings, which)]
  if (brokers.length === 0)
    throw new MillraceError('kafka-unreachable', 'no Kafka address is set and no local services run')
  const sasl = saslOf(settings)
  return {
    clientId: 'millrace',
    brokers,
    connectionTimeout: 5000,
    authenticationTimeout: 10_000,
    requestTimeout: settings.requestTimeout,
    retry: RETRY,
    ...(settings.kafkaTls ? { ssl: tlsOf(settings) } : {}),
    ...(sasl === undefined ? {} : { sasl }),
    logLevel: settings.logLevel === 'debug' ? logLevel.INFO : logLevel.NOTHING,
    logCreator: () => (entry) => {
      process.stderr.write(`kafkajs ${entry.label} ${entry.namespace} ${entry.log.message}\n`)
    },
  }
}

export const kafkaClient = (settings: Settings, which: Which): Kafka =>
  new Kafka(kafkaConfig(settings, which))

const tlsOf = ({ kafkaTlsCa: ca, kafkaTlsCert: cert, kafkaTlsKey: key }: Settings): ConnectionOptions =>
  tlsFiles('KAFKA', { ca, cert, key })

const saslOf = (settings: Settings): SASLOptions | Mechanism | undefined => {
  const login = { username: settings.kafkaSaslUsername, password: settings.kafkaSaslPassword }
  const mechanism = settings.kafkaSaslMechanism
  if (mechanism === 'none') return undefined
  if (mechanism === 'oauthbearer') return oauthMechanism(settings.kafkaOauthModule ?? '')
  const options: SASLOptions = { mechanism, ...login }
  return options
}

/** What waiting cannot mend: the certificate of either side, and a listener that wants another SASL mechanism or none. */
const certificateFault = /certificate|self.signed|unable to verify|altnames|wrong version number/i
const saslFault = ['ILLEGAL_SASL_STATE', 'UNSUPPORTED_SASL_MECHANISM', 'SASL_AUTHENTICATION_FAILED']

export interface Waiting {
  /** Told once, and again whenever the reason changes. */
  readonly waiting?: (what: string, why: string) => void
  readonly signal?: AbortSignal
}

/**
 * Ends when the cluster answers.
 * @throws MillraceError `kafka-auth` at once where credentials or certificates are refused; `kafka-unreachable` after startTimeout
 */
export const awaitKafka = async (settings: Settings, which: Which, options: Waiting = {}): Promise<void> => {
  const config = kafkaConfig(settings, which)
  const brokers = brokersOf(settings, which)
  const deadline = performance.now() + settings.startTimeout
  let told = ''
  for (let [turn, closed] = [0, 0]; ; turn++) {
    const first = turn % brokers.length
    // kafkajs begins with the first, and that one may be the one that is down.
    const asked = { ...config, brokers: [...brokers.slice(first), ...brokers.slice(0, first)] }
    const look = await lookAt(asked)
    if (look === undefined) return
    const why = messageOf(look.error)
    if (isClosed(why)) closed++
    const hopeless =
      hopelessness(brokers, look.error) ?? (isClosed(why) && (await mismatch(asked, look, closed)))
    if (hopeless) throw hopeless
    if (options.signal?.aborted || performance.now() >= deadline) throw asMillraceError(look.error, brokers)
    if (first < brokers.length - 1) continue
    if (why !== told) options.waiting?.(`Kafka at ${brokers.join(', ')}`, why)
    told = why
    await pause(300, options.signal)
  }
}

interface Refused {
  readonly error: unknown
  /** It answered the greeting, which needs no login. */
  readonly greeted: boolean
}

/** Undefined where all is well. A broker answers the greeting of a client without a login, and nothing else. */
const lookAt = async (config: KafkaConfig): Promise<Refused | undefined> => {
  const admin = new Kafka({ ...config, retry: { retries: 0 } }).admin()
  let greeted = false
  try {
    await admin.connect()
    greeted = true
    await admin.describeCluster()
    return undefined
  } catch (error) {
    return { error, greeted }
  } finally {
    await admin.disconnect()
  }
}

/** What waiting cannot mend. */
const hopelessness = (brokers: readonly string[], error: unknown): MillraceError | undefined => {
  const why = messageOf(error)
  const own = ownError(error)
  if (own !== undefined) return own
  if (isAuthenticationFailure(error) || kafkaErrors(error).some((type) => saslFault.includes(type)))
    return refusedCredentials(brokers, why, error)
  return certificateFault.test(why) ? refusedCertificate(brokers, why, error) : undefined
}

/** Closed once by a broker that just ends, closed again by one that wants something else. */
const mismatch = async (
  config: KafkaConfig,
  { greeted }: Refused,
  closed: number,
): Promise<MillraceError | undefined> => {
  if (!greeted) return listenerMismatch(config)
  return config.sasl === undefined && closed > 1 ? wantsLogin(String(config.brokers)) : undefined
}

const refusedCredentials = (brokers: readonly string[], why: string, cause: unknown): MillraceError =>
  new MillraceError('kafka-auth', `Kafka at ${brokers.join(', ')} refuses the credentials: ${why}`, { cause })

const refusedCertificate = (brokers: readonly string[], why: string, cause: unknown): MillraceError =>
  new MillraceError('kafka-auth', `no trusted TLS with ${brokers.join(', ')}: ${tlsReason(why)}`, {
    remedy: /alert/.test(why)
      ? 'check MILLRACE_KAFKA_TLS_CERT and MILLRACE_KAFKA_TLS_KEY'
      : 'check MILLRACE_KAFKA_TLS and MILLRACE_KAFKA_TLS_CA',
    cause,
  })

/**
 * kafkajs clients from the settings. Their own log lines are noise to an operator (each is reported again as an error
 * with a remedy), so they show at log level `debug` only.
 */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs'
import { MillraceError, messageOf } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { kafkaErrors } from './admin-failures.ts'
import { asMillraceError, isAuthenticationFailure, pause } from './failures.ts'

/** `input` holds the input topic, `home` everything that Millrace writes; mostly they are one cluster. */
export type Which = 'input' | 'home'

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

const tlsOf = (settings: Settings): ConnectionOptions => {
  const { kafkaTlsCa, kafkaTlsCert, kafkaTlsKey } = settings
  return {
    ...(kafkaTlsCa === undefined ? {} : { ca: [fileOf('KAFKA_TLS_CA', kafkaTlsCa)] }),
    ...(kafkaTlsCert === undefined ? {} : { cert: fileOf('KAFKA_TLS_CERT', kafkaTlsCert) }),
    ...(kafkaTlsKey === undefined ? {} : { key: fileOf('KAFKA_TLS_KEY', kafkaTlsKey) }),
  }
}

const fileOf = (setting: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new MillraceError('settings', `the file of MILLRACE_${setting} cannot be read: ${path}`, { cause })
  }
}

const saslOf = (settings: Settings): SASLOptions | undefined => {
  const login = { username: settings.kafkaSaslUsername, password: settings.kafkaSaslPassword }
  const mechanism = settings.kafkaSaslMechanism
  return mechanism === 'none' ? undefined : { mechanism, ...login }
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
  const brokers = brokersOf(settings, which)
  const admin = new Kafka({ ...kafkaConfig(settings, which), retry: { retries: 0 } }).admin()
  const deadline = performance.now() + settings.startTimeout
  let told = ''
  for (;;) {
    try {
      await admin.connect()
      await admin.disconnect()
      return
    } catch (error) {
      const why = messageOf(error)
      if (isAuthenticationFailure(error) || kafkaErrors(error).some((type) => saslFault.includes(type)))
        throw refusedCredentials(brokers, why, error)
      if (certificateFault.test(why)) throw refusedCertificate(brokers, why, error)
      if (options.signal?.aborted || performance.now() >= deadline) throw asMillraceError(error, brokers)
      if (why !== told) options.waiting?.(`Kafka at ${brokers.join(', ')}`, why)
      told = why
      await pause(300, options.signal)
    }
  }
}

const refusedCredentials = (brokers: readonly string[], why: string, cause: unknown): MillraceError =>
  new MillraceError('kafka-auth', `Kafka at ${brokers.join(', ')} refuses the credentials: ${why}`, { cause })

const refusedCertificate = (brokers: readonly string[], why: string, cause: unknown): MillraceError =>
  new MillraceError('kafka-auth', `no trusted TLS with ${brokers.join(', ')}: ${why}`, {
    remedy: 'check MILLRACE_KAFKA_TLS and MILLRACE_KAFKA_TLS_CA',
    cause,
  })

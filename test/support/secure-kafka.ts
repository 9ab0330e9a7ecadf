/**
 * A real broker that asks who somebody is and, where wished, what he may. Its listener between brokers speaks TLS and SASL, and is
 * the one that tests use; the plain one is for the readiness check and for the administrator, who may everything.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Properties } from '../../cli/services/broker-config.ts'
import type { KafkaCluster } from '../../cli/services/kafka.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import type { Certificates } from './certificates.ts'
import { kafkaTool, startOwnKafka } from './services.ts'

export const PASSWORD = 'correct-horse'

export interface SecureKafka extends AsyncDisposable {
  readonly cluster: KafkaCluster
  /** Behind TLS and SASL. */
  readonly address: string
  /** Settings of whoever may everything, past TLS and SASL. */
  readonly admin: Settings
  /** How a user comes in by SASL/PLAIN. */
  transport(user: string): Partial<Settings>
  /** Settings of that user. */
  settings(user: string, more?: Partial<Settings>): Settings
}

export interface SecureKafkaOptions {
  readonly certificates: Certificates
  /** Of SASL/PLAIN. */
  readonly users: readonly string[]
  readonly properties?: Properties
}

export const startSecureKafka = async (options: SecureKafkaOptions): Promise<SecureKafka> => {
  const cluster = await startOwnKafka({ properties: { ...secured(options), ...options.properties } })
  const [broker] = cluster.brokers
  const file = join(dirname(broker?.logFile ?? ''), 'server.properties')
  const address = /INTERNAL:\/\/([\d.:]+)/.exec(await readFile(file, 'utf8'))?.[1] ?? ''
  const transport = (user: string) => ({
    kafkaBrokers: [address],
    kafkaTls: true,
    kafkaTlsCa: options.certificates.ca,
    kafkaSaslMechanism: 'plain' as const,
    kafkaSaslUsername: user,
    kafkaSaslPassword: PASSWORD,
  })
  const settings = (user: string, more: Partial<Settings> = {}) =>
    readSettings({}, { ...transport(user), ...more })
  return {
    cluster,
    address,
    admin: readSettings({}, { kafkaBrokers: cluster.addresses }),
    transport,
    settings,
    [Symbol.asyncDispose]: () => cluster.stop(),
  }
}

const MODULES = {
  plain: 'org.apache.kafka.common.security.plain.PlainLoginModule',
  scram: 'org.apache.kafka.common.security.scram.ScramLoginModule',
  oauth: 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule',
} as const

const secured = ({ certificates, users }: SecureKafkaOptions): Properties => {
  const own = 'listener.name.internal'
  const logins = users.map((user) => `user_${user}="${PASSWORD}"`).join(' ')
  const broker = `username="broker" password="${PASSWORD}" user_broker="${PASSWORD}"`
  return {
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:SASL_SSL,CONTROLLER:PLAINTEXT',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    [`${own}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`${own}.plain.sasl.jaas.config`]: `${MODULES.plain} required ${broker} ${logins};`,
    [`${own}.scram-sha-256.sasl.jaas.config`]: `${MODULES.scram} required;`,
    [`${own}.scram-sha-512.sasl.jaas.config`]: `${MODULES.scram} required;`,
    [`${own}.oauthbearer.sasl.jaas.config`]: `${MODULES.oauth} required unsecuredLoginStringClaim_sub="broker";`,
    [`${own}.ssl.keystore.type`]: 'PEM',
    [`${own}.ssl.keystore.location`]: certificates.server.both,
    [`${own}.ssl.truststore.type`]: 'PEM',
    [`${own}.ssl.truststore.location`]: certificates.ca,
  }
}

/** With the broker's own tool, as an administrator does it. */
export const makeScramUser = async (
  { cluster }: SecureKafka,
  user: string,
  mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
): Promise<void> => {
  const secret = `${mechanism}=[password=${PASSWORD}]`
  const where = ['--bootstrap-server', cluster.addresses.join()]
  const what = ['--alter', '--add-config', secret, '--entity-type', 'users', '--entity-name', user]
  const ran = await kafkaTool('kafka.admin.ConfigCommand', [...where, ...what])
  if (ran.code !== 0) throw new Error(`kafka-configs: ${ran.stdout}${ran.stderr}`)
}

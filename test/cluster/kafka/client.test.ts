import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KafkaCluster } from '../../../cli/services/kafka.ts'
import { awaitKafka, brokersOf, kafkaClient, kafkaConfig } from '../../../cluster/kafka/client.ts'
import { readSettings, type Settings } from '../../../cluster/settings.ts'
import { startOwnKafka } from '../../support/services.ts'

const PASSWORD = 'changeit'
const STARTED = 60_000

describe('addresses', () => {
  test('home is the input cluster unless it has brokers of its own', () => {
    const one = readSettings({ MILLRACE_KAFKA_BROKERS: 'a:1' })
    const two = readSettings({ MILLRACE_KAFKA_BROKERS: 'a:1', MILLRACE_HOME_BROKERS: 'b:1' })
    expect([brokersOf(one, 'input'), brokersOf(one, 'home')]).toEqual([['a:1'], ['a:1']])
    expect([brokersOf(two, 'input'), brokersOf(two, 'home')]).toEqual([['a:1'], ['b:1']])
  })

  test('no address at all is an error with a remedy, not a wait', () =>
    expect(() => kafkaConfig(readSettings({}), 'input')).toThrow('no Kafka address is set'))

  test('a TLS file that is not there is named', () => {
    const settings = readSettings({
      MILLRACE_KAFKA_BROKERS: 'a:1',
      MILLRACE_KAFKA_TLS: 'true',
      MILLRACE_KAFKA_TLS_CA: '/nonexistent/ca.pem',
    })
    expect(() => kafkaConfig(settings, 'input')).toThrow(
      'MILLRACE_KAFKA_TLS_CA cannot be read: /nonexistent/ca.pem',
    )
  })
})

describe('a start', () => {
  test('waits up to startTimeout and says for what, once', async () => {
    const settings = readSettings({}, { kafkaBrokers: ['127.0.0.1:1'], startTimeout: 1200 })
    const told: string[] = []
    const waiting = (what: string, why: string) => told.push(`${what}: ${why}`)
    await expect(awaitKafka(settings, 'input', { waiting })).rejects.toMatchObject({
      code: 'kafka-unreachable',
    })
    expect(told).toEqual([expect.stringMatching(/^Kafka at 127\.0\.0\.1:1: .*ECONNREFUSED/)])
  })

  test('ends its wait when it is interrupted', async () => {
    const settings = readSettings({}, { kafkaBrokers: ['127.0.0.1:1'], startTimeout: STARTED })
    const started = performance.now()
    const aborted = new AbortController()
    const waiting = () => aborted.abort()
    await expect(awaitKafka(settings, 'input', { waiting, signal: aborted.signal })).rejects.toThrow(
      'no Kafka broker',
    )
    expect(performance.now() - started).toBeLessThan(STARTED / 2)
  })
})

describe('TLS and SASL', () => {
  let folder: string
  let cluster: KafkaCluster
  let secure: string
  let plain: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-tls-'))
    await makeCertificate(folder)
    cluster = await startOwnKafka({ properties: secureProperties(folder) })
    const broker = cluster.brokers[0]
    const properties = await readFile(join(dirname(broker?.logFile ?? ''), 'server.properties'), 'utf8')
    secure = /INTERNAL:\/\/([\d.:]+)/.exec(properties)?.[1] ?? ''
    plain = broker?.address ?? ''
  })
  afterAll(async () => {
    await cluster?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const settings = (more: Partial<Settings> = {}): Settings =>
    readSettings(
      {},
      {
        kafkaBrokers: [secure],
        kafkaTls: true,
        kafkaTlsCa: join(folder, 'ca.pem'),
        kafkaSaslMechanism: 'plain',
        kafkaSaslUsername: 'app',
        kafkaSaslPassword: PASSWORD,
        startTimeout: STARTED,
        ...more,
      },
    )

  test('with the right CA and credentials every client connects', async () => {
    await awaitKafka(settings(), 'input')
    const admin = kafkaClient(settings(), 'home').admin()
    await admin.connect()
    expect((await admin.describeCluster()).brokers).toHaveLength(1)
    await admin.disconnect()
  })

  test.each([
    ['a wrong password', { kafkaSaslPassword: 'wrong' }, /refuses the credentials/],
    [
      'a mechanism the broker does not speak',
      { kafkaSaslMechanism: 'scram-sha-256' },
      /refuses the credentials/,
    ],
    ['a certificate nobody vouches for', { kafkaTlsCa: undefined }, /no trusted TLS.*self.signed/],
  ] as const)('%s fails at once', async (_, change, message) => {
    const started = performance.now()
    await expect(awaitKafka(settings(change), 'input')).rejects.toMatchObject({
      code: 'kafka-auth',
      message: expect.stringMatching(message),
    })
    expect(performance.now() - started).toBeLessThan(STARTED / 2)
  })

  test('credentials for a listener that wants none fail at once', async () => {
    const change = { kafkaBrokers: [plain], kafkaTls: false, kafkaTlsCa: undefined }
    await expect(awaitKafka(settings(change), 'input')).rejects.toMatchObject({ code: 'kafka-auth' })
  })
})

const run = promisify(execFile)

/** Java's own tool is there wherever the broker runs. */
const makeCertificate = async (folder: string): Promise<void> => {
  const keytool = (...args: string[]) => run('keytool', [...args, '-storepass', PASSWORD], { cwd: folder })
  const san = ['-ext', 'san=ip:127.0.0.1', '-dname', 'CN=localhost']
  await keytool(
    '-genkeypair',
    '-alias',
    'broker',
    '-keyalg',
    'EC',
    '-keystore',
    'keys.p12',
    '-storetype',
    'PKCS12',
    ...san,
  )
  await keytool('-exportcert', '-rfc', '-alias', 'broker', '-keystore', 'keys.p12', '-file', 'ca.pem')
  await keytool(
    '-importcert',
    '-noprompt',
    '-alias',
    'ca',
    '-file',
    'ca.pem',
    '-keystore',
    'trust.p12',
    '-storetype',
    'PKCS12',
  )
}

/** The listener between brokers is the one behind TLS and SASL, so that the other stays plain for the readiness check. */
const secureProperties = (folder: string) => {
  const store = (kind: string, file: string) => ({
    [`listener.name.internal.ssl.${kind}.location`]: join(folder, file),
    [`listener.name.internal.ssl.${kind}.password`]: PASSWORD,
    [`listener.name.internal.ssl.${kind}.type`]: 'PKCS12',
  })
  const login = `required username="app" password="${PASSWORD}" user_app="${PASSWORD}";`
  return {
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:SASL_SSL,CONTROLLER:PLAINTEXT',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'listener.name.internal.sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.internal.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule ${login}`,
    ...store('keystore', 'keys.p12'),
    ...store('truststore', 'trust.p12'),
  }
}

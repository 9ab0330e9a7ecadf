/** The clients against a real broker behind TLS and SASL: each gets in, and what is wrong is told at once in one line. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Partitioners } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectTopology } from '../../../cli/host.ts'
import { settingsEnv } from '../../../cli/settings-env.ts'
import { kafkaClient } from '../../../cluster/kafka/client.ts'
import { encodeBatch } from '../../../cluster/kafka/codec/records.ts'
import { insist, pause } from '../../../cluster/kafka/failures.ts'
import { scan } from '../../../cluster/kafka/scan.ts'
import { TransactionWriter } from '../../../cluster/kafka/writer.ts'
import type { Settings } from '../../../cluster/settings.ts'
import { millrace } from '../../cli/millrace.ts'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { makeScramUser, type SecureKafka, startSecureKafka } from '../../support/secure-kafka.ts'
import { uniqueName } from '../../support/services.ts'

let certificates: Certificates
let kafka: SecureKafka

beforeAll(async () => {
  certificates = await makeCertificates()
  kafka = await startSecureKafka({ certificates, users: ['app'] })
  await makeScramUser(kafka, 'scram-256', 'SCRAM-SHA-256')
  await makeScramUser(kafka, 'scram-512', 'SCRAM-SHA-512')
  await writeFile(join(certificates.folder, 'token.mjs'), tokenModule(60))
  await writeFile(join(certificates.folder, 'short.mjs'), tokenModule(11))
  await writeFile(join(certificates.folder, 'expired.mjs'), tokenModule(-600))
  await writeFile(join(certificates.folder, 'empty.mjs'), 'export const token = 1\n')
  await writeFile(
    join(certificates.folder, 'no-text.mjs'),
    'export const oauthBearerToken = async () => ({})\n',
  )
  const broken = "export const oauthBearerToken = async () => { throw new Error('the issuer is away') }\n"
  await writeFile(join(certificates.folder, 'broken.mjs'), broken)
})
afterAll(async () => {
  await kafka?.[Symbol.asyncDispose]()
  await certificates?.[Symbol.asyncDispose]()
})

/** What the broker's own validator of unsecured tokens takes; it counts how often it was asked. */
const tokenModule = (seconds: number): string => `
export let asked = 0
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
export const oauthBearerToken = async () => {
  asked++
  const now = Date.now() / 1000
  return { value: \`\${part({ alg: 'none' })}.\${part({ sub: 'bearer', iat: now - 3600, exp: now + ${seconds} })}.\` }
}
`

const moduleAt = (name: string): string => join(certificates.folder, name)
const oauth = (name: string): Partial<Settings> => ({
  kafkaSaslMechanism: 'oauthbearer',
  kafkaSaslUsername: '',
  kafkaOauthModule: moduleAt(name),
})

const logins: Readonly<Record<string, () => Partial<Settings>>> = {
  plain: () => ({}),
  'scram-sha-256': () => ({ kafkaSaslMechanism: 'scram-sha-256', kafkaSaslUsername: 'scram-256' }),
  'scram-sha-512': () => ({ kafkaSaslMechanism: 'scram-sha-512', kafkaSaslUsername: 'scram-512' }),
  oauthbearer: () => oauth('token.mjs'),
}

const batch = (value: string) => {
  const encoded = encodeBatch([{ timestamp: Date.now(), key: 'k', value }])
  if (encoded === undefined) throw new Error('an empty batch')
  return { bytes: encoded.bytes, records: encoded.count }
}

describe.each(Object.keys(logins))('TLS and SASL %s', (name) => {
  test('admin, producer, writer, reader and group commits get in', async () => {
    const settings = kafka.settings('app', logins[name]?.())
    const topic = uniqueName('secure')
    const client = kafkaClient(settings, 'home')
    const admin = client.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
    await admin.disconnect()
    const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true })
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: [{ value: 'plainly' }] })
    await producer.disconnect()
    const topology = await connectTopology(settings, 'home')
    try {
      await topology.topic(topic)
      const [transactionTimeout, requestTimeout] = [20_000, 10_000]
      const writer = new TransactionWriter(topology, {
        transactionalId: topic,
        transactionTimeout,
        requestTimeout,
      })
      expect(await writer.fence()).toEqual({ result: 'open' })
      const part = { topic, partition: 0, ...batch('in a transaction') }
      expect(await writer.transact([part])).toMatchObject({ result: 'committed', offsets: [1] })
      const seen: string[] = []
      await scan(topology, { topic, partition: 0, from: 0, to: 2 }, (cursor) =>
        seen.push(cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)),
      )
      expect(seen).toEqual(['plainly', 'in a transaction'])
      const partitions = [{ partition: 0, offset: '2', metadata: '' }]
      const group = { groupId: topic, groupGenerationId: -1, memberId: '' }
      // A young cluster finds a coordinator of groups a little later.
      await insist(() => topology.connections.commitOffsets({ ...group, topics: [{ topic, partitions }] }))
    } finally {
      await topology.connections.close()
    }
  })
})

test('a token that ends is exchanged on the open connection, and calls go on', {
  timeout: 60_000,
}, async () => {
  const settings = kafka.settings('app', oauth('short.mjs'))
  const module: { readonly asked: number } = await import(moduleAt('short.mjs'))
  const topology = await connectTopology(settings, 'home')
  try {
    const first = module.asked
    // Eleven seconds of life, ten of them ahead: it is due after one.
    while (module.asked < first + 3) {
      await topology.refresh()
      await pause(100)
    }
    expect(topology.clusterId).not.toBe('')
  } finally {
    await topology.connections.close()
  }
})

/** Far above what a refusal takes, far below the test's own limit: a refusal that is waited out shows. */
const START_TIMEOUT = 90_000

describe('what is wrong ends a command at once, in one line', () => {
  test.each<readonly [string, () => Partial<Settings>, RegExp, number]>([
    [
      'a CA that does not vouch for it',
      () => ({ kafkaTlsCa: certificates.otherCa }),
      /no trusted TLS with .*: Connection error: unable to verify the first certificate; check MILLRACE_KAFKA_TLS and MILLRACE_KAFKA_TLS_CA$/,
      4,
    ],
    [
      'no CA at all',
      () => ({ kafkaTlsCa: undefined }),
      /no trusted TLS with .*unable to verify the first certificate; check MILLRACE_KAFKA_TLS/,
      4,
    ],
    [
      'a CA file that is none',
      () => ({ kafkaTlsCa: moduleAt('token.mjs') }),
      /the files of MILLRACE_KAFKA_TLS_\* are no use: .*; give certificates and key as PEM/,
      2,
    ],
    [
      'a wrong password',
      () => ({ kafkaSaslPassword: 'wrong' }),
      /refuses the credentials: .*Invalid username or password; check MILLRACE_KAFKA_SASL_\*/,
      4,
    ],
    [
      'a wrong SCRAM-SHA-256 password',
      () => ({ ...logins['scram-sha-256']?.(), kafkaSaslPassword: 'wrong' }),
      /refuses the credentials: .*SCRAM-SHA-256; check MILLRACE_KAFKA_SASL_\*/,
      4,
    ],
    [
      'a wrong SCRAM-SHA-512 password',
      () => ({ ...logins['scram-sha-512']?.(), kafkaSaslPassword: 'wrong' }),
      /refuses the credentials: .*SCRAM-SHA-512; check MILLRACE_KAFKA_SASL_\*/,
      4,
    ],
    [
      'a SCRAM user nobody made',
      () => ({ kafkaSaslMechanism: 'scram-sha-512', kafkaSaslUsername: 'nobody' }),
      /refuses the credentials: .*SCRAM-SHA-512; check MILLRACE_KAFKA_SASL_\*/,
      4,
    ],
    [
      'an expired token',
      () => oauth('expired.mjs'),
      /Kafka refuses the token: .*invalid_token.*; check the token that the module of MILLRACE_KAFKA_OAUTH_MODULE gives/,
      4,
    ],
    [
      'a token module that throws',
      () => oauth('broken.mjs'),
      /the module of MILLRACE_KAFKA_OAUTH_MODULE gives no token: the issuer is away; /,
      4,
    ],
    [
      'a token module without the function',
      () => oauth('empty.mjs'),
      /exports no function oauthBearerToken: .*empty.mjs; export /,
      2,
    ],
    ['a token that is no text', () => oauth('no-text.mjs'), /gives no text as value; export /, 2],
    [
      'a token module that is not there',
      () => oauth('nowhere.mjs'),
      /does not load: .*nowhere.mjs.*; export /,
      2,
    ],
    [
      'no login',
      () => ({ kafkaSaslMechanism: 'none', kafkaSaslUsername: '' }),
      /the listener at .* closes the connection of a client without a login; set MILLRACE_KAFKA_SASL_MECHANISM/,
      4,
    ],
    [
      'no TLS',
      () => ({ kafkaTls: false, kafkaTlsCa: undefined }),
      /the listener at .* speaks TLS; set MILLRACE_KAFKA_TLS=true/,
      4,
    ],
    [
      'TLS to a plain listener',
      () => ({ kafkaBrokers: kafka.cluster.addresses }),
      /the listener at .* speaks no TLS; unset MILLRACE_KAFKA_TLS/,
      4,
    ],
  ])('%s', async (_, change, line, exit) => {
    const settings = kafka.settings('app', change())
    const started = performance.now()
    const env = settingsEnv({ ...settings, startTimeout: START_TIMEOUT })
    const { code, stderr } = await millrace(['topics', 'list'], { env })
    const said = stderr.trim().split('\n')
    expect(said.at(-1)).toMatch(line)
    expect(said.at(-1)).not.toMatch(/wrong$|correct-horse/)
    // At most one line before it tells for what it waits.
    expect(said.length, stderr).toBeLessThan(3)
    expect(code).toBe(exit)
    expect(performance.now() - started).toBeLessThan(START_TIMEOUT / 2)
  })
})

/**
 * The list of rights on a broker with the authorizer on. Sufficient: each part runs as a user who has its rows and no other, through
 * the whole path. Least: for each row there is a user who lacks it alone, and what that part does with it fails.
 */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aclsFor } from '../../../cli/acls/own.ts'
import { missingAcls } from '../../../cli/acls/preflight.ts'
import { type Acl, type PartName, parts } from '../../../cli/acls/table.ts'
import { connectTopology } from '../../../cli/host.ts'
import { settingsEnv } from '../../../cli/settings-env.ts'
import { MillraceError } from '../../../cluster/errors.ts'
import { kafkaErrors } from '../../../cluster/kafka/admin-failures.ts'

import { kafkaClient } from '../../../cluster/kafka/client.ts'
import { redisRule } from '../../../cluster/redis/access.ts'
import { readSettings, type Settings } from '../../../cluster/settings.ts'
import { grant, startAuthorizedKafka } from '../../support/authorized-kafka.ts'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { clean, Running, TestCluster } from '../../support/cluster.ts'
import { type OwnRedis, startRedis } from '../../support/redis.ts'
import { readAll, unparked } from '../../support/retries.ts'
import { PASSWORD, type SecureKafka } from '../../support/secure-kafka.ts'
import { millrace, type Run } from '../millrace.ts'
import { pipeline } from './fixtures/every-fate.ts'
import { attempt } from './probes.ts'

const path = fileURLToPath(new URL('fixtures/every-fate.ts', import.meta.url))
const CLUSTER = 'authorized'
const own: Partial<Settings> = { topicPrefix: 'own.', clusterId: CLUSTER, pipeline: path }
/** Where nothing is made yet. */
const fresh: Partial<Settings> = { ...own, topicPrefix: 'fresh.' }

const rowsOf = (part: PartName): readonly Acl[] =>
  aclsFor(
    readSettings({}, { ...(part === 'topics' ? fresh : own), fromGroup: 'old-group' }),
    pipeline,
    { index: 'idx' },
    [part],
  )
const nameOf = ({ operation, resource, name }: Acl): string => `${operation} on ${resource} ${name}`
/** One user a part, who has all its rows, and one for each row, who lacks it. */
const userOf = (part: PartName, without?: number): string =>
  without === undefined ? part : `${part}-${without}`
const rights = new Map(
  parts.flatMap((part) => {
    const rows = rowsOf(part)
    const lacking = rows.map(
      (_, index) => [userOf(part, index), rows.filter((_row, at) => at !== index)] as const,
    )
    return [...lacking, [userOf(part), rows] as const]
  }),
)

let certificates: Certificates
let kafka: SecureKafka
let redis: OwnRedis
let cluster: TestCluster

beforeAll(async () => {
  certificates = await makeCertificates()
  kafka = await startAuthorizedKafka(certificates, [...rights.keys()])
  redis = await startRedis(['--user', 'app', 'on', `>${PASSWORD}`, ...redisRule(CLUSTER).split(' ')])
  await grant(kafka, rights)
  cluster = await TestCluster.open({
    kafka: kafka.cluster.addresses,
    redis: redis.url.replace('//', `//app:${PASSWORD}@`),
    pipeline: path,
    partitions: 2,
    settings: own,
  })
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await redis?.stop()
  await kafka?.[Symbol.asyncDispose]()
  await certificates?.[Symbol.asyncDispose]()
})

const envOf = (user: string) => ({ ...cluster.env, ...settingsEnv(kafka.transport(user)) })
const as = async (part: PartName, args: readonly string[], stdin = ''): Promise<Run> => {
  const run = await millrace(args, { env: envOf(userOf(part)), stdin })
  expect(run, `${args.join(' ')}\n${run.stderr}`).toMatchObject({ code: 0 })
  return run
}

const records = (count: number, fate: string): string => `${JSON.stringify({ fate })}\n`.repeat(count)
const REFUSED = /refuse|authori[sz]|not let|forbid/i

test('each part runs through the whole path as a user who has its rows alone', {
  timeout: 180_000,
}, async () => {
  const asAdmin = await millrace(['topics', 'create', path], { env: cluster.env })
  expect(asAdmin, asAdmin.stderr).toMatchObject({ code: 0 })
  await using coordinator = new Running(['coordinator'], envOf('coordinator'))
  await using worker = new Running(['worker', '--processes', '1'], envOf('worker'))
  await cluster.settled(60_000).catch((error: Error) => {
    throw new Error([error.message, ...coordinator.lines, ...worker.lines].join('\n'))
  })
  const input = ['done', 'retry', 'drop', 'dead'].map((fate) => records(25, fate)).join('')
  await as('produce', ['send', cluster.names.input], input)
  await cluster.drained(60_000)
  await unparked(cluster, 60_000)
  const report = JSON.parse((await as('audit', ['audit', path, '-o', 'json'])).stdout)
  expect(report).toMatchObject({ ...clean, produced: 100, outputs: 50, dead: 25, dropped: 25 })
  expect(JSON.parse((await as('dlq', ['dlq', 'groups', path, '-o', 'json'])).stdout)).toBeTruthy()
  const sent = await as('replay', ['dlq', 'replay', path, '--yes', '-o', 'json'])
  expect(JSON.parse(sent.stdout)).toMatchObject({ sent: 25 })
  await cluster.drained(60_000)
  await as('orders', ['insights', path, '--flush'])
  await as('orders', ['pause', '0', '--pipeline', path])
  await as('orders', ['resume', '0', '--pipeline', path])
  await as('orders', ['status', path])
  await as('audit', ['audit', path])
  await coordinator.says(/insights/, 30_000)
  expect((await readAll(cluster, cluster.names.clusterInsights)).length).toBeGreaterThan(0)
  expect((await readAll(cluster, cluster.names.insights ?? '')).length).toBeGreaterThan(0)
  const group = await kafkaClient(kafka.admin, 'input').admin()
  await group.connect()
  const [mirrored] = await group.fetchOffsets({ groupId: cluster.names.group, topics: [cluster.names.input] })
  await group.disconnect()
  expect(mirrored?.partitions.every(({ offset }) => Number(offset) > 0)).toBe(true)
  expect([...coordinator.lines, ...worker.lines].filter((line) => REFUSED.test(line))).toEqual([])
})

test('topics are made by a user who has the rows for that alone', async () => {
  const env = { ...envOf('topics'), ...settingsEnv(fresh) }
  const run = await millrace(['topics', 'create', path, '-o', 'json'], { env })
  expect(run, run.stderr).toMatchObject({ code: 0 })
  expect(JSON.parse(run.stdout).created).toHaveLength(10)
})

/** What a row is for is in order as long as it is there; the sink's own letters are made by its first start. */
const beforeRows = async (): Promise<void> => {
  const admin = kafkaClient(kafka.admin, 'home').admin()
  await admin.connect()
  const letters = rowsOf('sink').find(({ name }) => name.endsWith('-opensearch-dlq'))?.name ?? ''
  await admin.createTopics({ topics: [{ topic: letters, numPartitions: 1 }] })
  await admin.setOffsets({
    groupId: 'old-group',
    topic: cluster.names.input,
    partitions: [{ partition: 0, offset: '0' }],
  })
  await admin.disconnect()
}

/** An audit sees what the others write to find out whether they may. */
const inOrder = ['audit', ...parts.filter((part) => part !== 'audit')] as const

/** kafkajs keeps to itself why it finds no coordinator of a group: it has just found it for the one who may. */
const isRefusal = (error: unknown): boolean =>
  (error instanceof MillraceError && error.code === 'kafka-auth') ||
  kafkaErrors(error).some((type) => type.endsWith('AUTHORIZATION_FAILED')) ||
  (error instanceof Error && (error.name === 'KafkaJSGroupCoordinatorNotFound' || isRefusal(error.cause)))

describe.each(inOrder)('%s', (part) => {
  beforeAll(async () => {
    if (part === inOrder[0]) await beforeRows()
  })
  const settingsOf = (user: string): Settings =>
    kafka.settings(user, { ...(part === 'topics' ? fresh : own), requestTimeout: 5000 })

  test.each(rowsOf(part).map((acl, index) => [nameOf(acl), acl, index] as const))(
    'without %s it fails, and the look at the start names it',
    async (_name, acl, index) => {
      await attempt(settingsOf(userOf(part)), acl)
      const lacking = settingsOf(userOf(part, index))
      const refusal = await attempt(lacking, acl).then(
        () => 'it was let',
        (error: unknown) => error,
      )
      expect(refusal).toSatisfy(isRefusal)
      const topology = await connectTopology(lacking, 'home')
      const missed = await missingAcls(topology, rowsOf(part)).finally(() => topology.connections.close())
      expect(missed).toContainEqual(acl)
    },
  )
})

const lackOf = (part: PartName, fits: (acl: Acl) => boolean): string =>
  userOf(part, rowsOf(part).findIndex(fits))

describe('a right that is missing ends the command at once, in one line', () => {
  test.each<readonly [string, readonly string[], PartName, (acl: Acl) => boolean]>([
    ['a worker that may not write outputs', ['worker'], 'worker', ({ why }) => why === 'outputs'],
    ['a worker without its transactional ids', ['worker'], 'worker', ({ pattern }) => pattern === 'prefixed'],
    ['a worker without its group', ['worker'], 'worker', ({ resource }) => resource === 'group'],
    ['a run that may not read the input', ['run', path], 'worker', ({ why }) => why === 'the input'],
    [
      'a coordinator that may not write the plan',
      ['coordinator'],
      'coordinator',
      ({ why }) => why === 'the plan',
    ],
    [
      'an audit that may not read dead letters',
      ['audit', path],
      'audit',
      ({ name }) => name.endsWith('-dlq'),
    ],
    ['a look at dead letters', ['dlq', 'groups', path], 'dlq', ({ why }) => why === 'dead letters'],
    [
      'a replay without its transactional id',
      ['dlq', 'replay', path, '--yes', '--force'],
      'replay',
      ({ resource }) => resource === 'transactional-id',
    ],
  ])('%s', async (_, args, part, fits) => {
    const acl = rowsOf(part).find(fits)
    const started = performance.now()
    const { code, stderr } = await millrace(args, { env: envOf(lackOf(part, fits)) })
    const said = stderr.trim().split('\n').at(-1)
    const what = `a ${part} needs: ${acl?.operation} on ${acl?.resource} ${acl?.name}`
    expect(said).toBe(
      `millrace: Kafka does not let this user do what ${what}; grant it: \`millrace acls --for ${part} -o commands\` prints how`,
    )
    expect(code).toBe(4)
    expect(performance.now() - started).toBeLessThan(cluster.settings.startTimeout / 2)
  })
})

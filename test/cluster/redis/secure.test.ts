/** A real Redis behind TLS that asks who somebody is and what he may; what is wrong is told at once in one line. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../../cli/services/ports.ts'
import { settingsEnv } from '../../../cli/settings-env.ts'
import { EventBus } from '../../../cluster/events.ts'
import { redisRule, requireAccess } from '../../../cluster/redis/access.ts'
import { closeRedis, connectRedis, redisTls } from '../../../cluster/redis/client.ts'
import { consumeRetries, queuePlace, type RunJob, retryQueue } from '../../../cluster/redis/retry-queue.ts'
import { readSettings, type Settings } from '../../../cluster/settings.ts'
import { millrace } from '../../cli/millrace.ts'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { type OwnRedis, startRedis } from '../../support/redis.ts'
import { type SharedServices, useServices } from '../../support/services.ts'

const PASSWORD = 'correct-horse'
const CLUSTER = 'secured'
const rule = redisRule(CLUSTER)

/** By name, what is left of the rule. */
const users: Readonly<Record<string, string>> = {
  app: rule,
  'no-keys': rule.replace(`~{${CLUSTER}}:*`, '~{another}:*'),
  'no-writes': rule.replace('+@write ', ''),
  'no-scripts': rule.replace('+eval +evalsha', ''),
  'no-info': rule.replace('+info ', ''),
  'no-streams': `${rule} -xadd`,
}

let certificates: Certificates
let plain: OwnRedis
let redis: OwnRedis
let port: number
let services: SharedServices

beforeAll(async () => {
  services = await useServices()
  certificates = await makeCertificates()
  port = await freePort()
  const aclfile = join(certificates.folder, 'users.acl')
  const lines = Object.entries(users).map(([name, allowed]) => `user ${name} on >${PASSWORD} ${allowed}`)
  await writeFile(aclfile, `${['user default off', ...lines].join('\n')}\n`)
  const { cert, key } = certificates.server
  const tls = ['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key]
  // Clients must show a certificate as well: Redis's own default.
  redis = await startRedis([...tls, '--tls-ca-cert-file', certificates.ca, '--aclfile', aclfile])
  plain = await startRedis()
})
afterAll(async () => {
  await Promise.all([redis?.stop(), plain?.stop()])
  await certificates?.[Symbol.asyncDispose]()
})

const settingsFor = (user: string, more: Partial<Settings> = {}): Settings =>
  readSettings(
    {},
    {
      redisUrl: `rediss://${user}:${PASSWORD}@127.0.0.1:${port}`,
      redisTlsCa: certificates.ca,
      redisTlsCert: certificates.client.cert,
      redisTlsKey: certificates.client.key,
      clusterId: CLUSTER,
      ...more,
    },
  )

test('the user of the documented rule connects, and its queue takes a job and runs it', async () => {
  const settings = settingsFor('app')
  const client = await connectRedis(settings)
  await requireAccess(client, CLUSTER)
  const place = queuePlace(CLUSTER, 'secured')
  const events = new EventBus()
  const queue = retryQueue(client, place, events)
  const ran = Promise.withResolvers<number>()
  const run: RunJob = async ({ offset }) => {
    ran.resolve(offset)
    return { verdict: 'ended', note: 'done' }
  }
  const { tls } = redisTls(settings)
  const consumer = consumeRetries({
    url: settings.redisUrl,
    ...(tls && { tls }),
    place,
    concurrency: 1,
    run,
    events,
  })
  const data = { partition: 0, offset: 7, code: 'c', runsBefore: 1 } as Parameters<RunJob>[0]
  await queue.put([{ data, delayMs: 10, runs: 3 }])
  expect(await ran.promise).toBe(7)
  await consumer.stop(1000)
  await queue.close()
  closeRedis(client)
})

describe('what is wrong ends a coordinator at once, in one line', () => {
  const START_TIMEOUT = 90_000

  test.each<readonly [string, () => Partial<Settings>, RegExp, number]>([
    [
      'a CA that does not vouch for it',
      () => settingsFor('app', { redisTlsCa: certificates.otherCa }),
      /no trusted TLS with Redis at .*: self-signed certificate in certificate chain; check MILLRACE_REDIS_URL .*MILLRACE_REDIS_TLS_CA$/,
      5,
    ],
    [
      'no CA at all',
      () => settingsFor('app', { redisTlsCa: undefined }),
      /no trusted TLS with Redis at .*; check MILLRACE_REDIS_URL .*MILLRACE_REDIS_TLS_CA$/,
      5,
    ],
    [
      'a CA file that is none',
      () => settingsFor('app', { redisTlsCa: certificates.client.key }),
      /the files of MILLRACE_REDIS_TLS_\* are no use: .*; give certificates/,
      2,
    ],
    [
      'no client certificate',
      () => settingsFor('app', { redisTlsCert: undefined, redisTlsKey: undefined }),
      /no TLS with Redis at .*: tlsv13 alert certificate required; check MILLRACE_REDIS_TLS_CERT/,
      5,
    ],
    [
      'a wrong password',
      () => settingsFor('app', { redisUrl: `rediss://app:wrong@127.0.0.1:${port}` }),
      /refuses the credentials: WRONGPASS .*; check MILLRACE_REDIS_URL$/,
      5,
    ],
    [
      'no login',
      () => settingsFor('app', { redisUrl: `rediss://127.0.0.1:${port}` }),
      /refuses the credentials: NOAUTH .*; check MILLRACE_REDIS_URL$/,
      5,
    ],
    [
      'no TLS',
      () => ({ redisUrl: `redis://app:${PASSWORD}@127.0.0.1:${port}`, clusterId: CLUSTER }),
      /Redis at .* speaks TLS; write MILLRACE_REDIS_URL as rediss:\/\/$/,
      5,
    ],
    [
      'TLS to a plain port',
      () => settingsFor('app', { redisUrl: `rediss://127.0.0.1:${plain.port}` }),
      /Redis at .* speaks no TLS; write MILLRACE_REDIS_URL as redis:\/\/$/,
      5,
    ],
    [
      'keys of another cluster id',
      () => settingsFor('no-keys'),
      /does not let user no-keys .*NOPERM.*; allow it: ACL SETUSER no-keys ~\{secured\}:\*/,
      5,
    ],
    [
      'no writing',
      () => settingsFor('no-writes'),
      /does not let user no-writes .*no permission for SET, .*; allow it: ACL SETUSER no-writes/,
      5,
    ],
    [
      'no scripts',
      () => settingsFor('no-scripts'),
      /does not let user no-scripts .*'evalsha' command; allow it: ACL SETUSER no-scripts/,
      5,
    ],
    [
      'no INFO',
      () => settingsFor('no-info'),
      /forbids what Millrace needs: NOPERM .*'info' command; allow the user: ACL SETUSER <user>/,
      5,
    ],
    [
      'one command less',
      () => settingsFor('no-streams'),
      /does not let user no-streams .*no permission for XADD; allow it: ACL SETUSER no-streams/,
      5,
    ],
  ])('%s', async (_, changed, line, exit) => {
    const env = settingsEnv({
      ...changed(),
      kafkaBrokers: services.kafka,
      httpPort: 0,
      startTimeout: START_TIMEOUT,
    })
    const started = performance.now()
    const { code, stderr } = await millrace(['coordinator'], { env })
    const said = stderr.trim().split('\n')
    expect(said.at(-1)).toMatch(line)
    expect(stderr).not.toContain(PASSWORD)
    // At most one line before it tells for what it waits.
    expect(said.length, stderr).toBeLessThan(3)
    expect(code).toBe(exit)
    expect(performance.now() - started).toBeLessThan(START_TIMEOUT / 2)
  })
})

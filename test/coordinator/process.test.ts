import { type ChildProcess, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../cli/services/ports.ts'
import { sleep, systemClock } from '../../cluster/actor/clock.ts'
import { kafkaConfig } from '../../cluster/kafka/client.ts'
import { scan } from '../../cluster/kafka/scan.ts'
import { Connections } from '../../cluster/kafka/seam.ts'
import { Topology } from '../../cluster/kafka/topology.ts'
import { namesOf } from '../../cluster/protocol/names.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { viewPublisher } from '../../cluster/redis/views.ts'
import { redisWorkers } from '../../cluster/redis/workers.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import type { CoordinatorStatus } from '../../coordinator/coordinator.ts'
import { encode, total } from '../../pipelines/api/aggregates.ts'
import { Folder } from '../../pipelines/api/folder.ts'
import { pipeline as privacy } from '../../pipelines/login-privacy/pipeline.ts'
import { pipeline } from '../../pipelines/user-login/pipeline.ts'
import { reportOf } from '../support/reports.ts'
import { uniqueName, useServices } from '../support/services.ts'

const LEASE = 3000

interface Process {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  lines(): string
  /** The first group of what it says, once it does. */
  says(pattern: RegExp): Promise<string>
  status(): Promise<CoordinatorStatus>
}

let settings: Settings
let redis: Redis
const running: ChildProcess[] = []

const start = (over: Readonly<Record<string, string>> = {}): Process => {
  const entry = fileURLToPath(new URL('../../cli/millrace.mjs', import.meta.url))
  const child = spawn(process.execPath, [entry, 'coordinator'], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: {
      ...process.env,
      MILLRACE_KAFKA_BROKERS: settings.kafkaBrokers.join(','),
      MILLRACE_REDIS_URL: settings.redisUrl,
      MILLRACE_CLUSTER_ID: settings.clusterId,
      MILLRACE_TOPIC_PREFIX: settings.topicPrefix,
      MILLRACE_LEASE: `${LEASE}ms`,
      MILLRACE_HTTP_PORT: '0',
      ...over,
    },
  })
  running.push(child)
  let text = ''
  const said = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const [, found] = pattern.exec(text) ?? []
      if (found !== undefined) return found
      await once(child.stderr, 'data')
    }
  }
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  const address = said(/(http:\S+)/)
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  return {
    child,
    exited,
    lines: () => text,
    says: said,
    status: async () => (await fetch(await address)).json() as Promise<CoordinatorStatus>,
  }
}

/** Fails by the test's own timeout. */
const until = async (
  one: Process,
  fits: (status: CoordinatorStatus) => boolean,
): Promise<CoordinatorStatus> => {
  for (;;) {
    const status = await one.status()
    if (fits(status)) return status
    await sleep(systemClock, 50)
  }
}

const firstMessage = async (topic: string): Promise<unknown> => {
  const connections = new Connections(kafkaConfig(settings, 'home'))
  await connections.connect()
  const topology = new Topology(connections)
  try {
    for (;;) {
      const ends = await topology.ends(topic, [0]).catch(() => new Map<number, number>())
      const to = ends.get(0) ?? 0
      let found: unknown
      if (to > 0)
        await scan(topology, { topic, partition: 0, from: 0, to }, ({ bytes, valueStart, valueEnd }) => {
          found ??= JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
        })
      if (found !== undefined) return found
      await sleep(systemClock, 100)
    }
  } finally {
    await connections.close()
  }
}

beforeAll(async () => {
  const services = await useServices()
  const name = uniqueName('coordinator')
  settings = readSettings(
    {},
    { kafkaBrokers: services.kafka, redisUrl: services.redis, clusterId: name, topicPrefix: `${name}.` },
  )
  redis = await connectRedis(settings)
})
afterAll(() => closeRedis(redis))
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})

describe('the coordinator as a process', () => {
  test('plans for registered workers, hands leadership over when it ends, and the standby goes on above its epochs', async () => {
    const workers = redisWorkers(redis, keysOf(settings.clusterId))
    const first = start()
    await until(first, ({ leading }) => leading)
    await workers.renew(reportOf('a'), 60_000)
    const planned = await until(first, ({ plans }) => plans.length === 1)
    expect(planned.plans[0]).toMatchObject({ pipeline: 'p', epoch: 1, owners: ['a', 'a', 'a', 'a'] })

    const second = start()
    await until(second, ({ sees, plans }) => sees && plans.length === 1)
    expect((await second.status()).leading).toBe(false)
    first.child.kill('SIGTERM')
    expect(await first.exited).toBe(0)
    await until(second, ({ leading }) => leading)

    await workers.renew(reportOf('b'), 60_000)
    const moving = await until(second, ({ plans }) => plans[0]?.epoch === 2)
    expect(Object.values(moving.plans[0]?.releasing ?? {})).toEqual([
      { worker: 'a', since: 2 },
      { worker: 'a', since: 2 },
    ])
    const keeps = moving.plans[0]?.owners.flatMap((owner, slot) => (owner === 'a' ? [slot] : [])) ?? []
    await workers.renew(reportOf('a', keeps, { appliedEpoch: 2 }), 60_000)
    const moved = await until(second, ({ plans }) => plans[0]?.epoch === 3)
    expect(moved.plans[0]?.owners.filter((owner) => owner === 'b')).toHaveLength(2)
  })

  test('publishes the insights of closed windows, combined over all slots', async () => {
    const keys = keysOf(settings.clusterId)
    const workers = redisWorkers(redis, keys)
    const hour = 3_600_000
    for (const slot of [0, 1]) {
      const views = viewPublisher(redis, keys, { pipeline: 'user-login', slot, epoch: 1, stateTopicId: 't' })
      const value = 10 + slot
      const windows = [{ aggregate: 'logins', size: String(hour), start: 0, offset: 4, value, lifeMs: 0 }]
      await views.publish({ windows, watermark: hour, floors: {}, full: true })
    }
    const leader = start()
    await workers.renew(reportOf('u', [], { pipeline: 'user-login', slots: 2 }), 60_000)
    await until(leader, ({ plans }) => plans.some(({ pipeline }) => pipeline === 'user-login'))
    const topic = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix).clusterInsights
    const insight = await firstMessage(topic)
    expect(insight).toMatchObject({
      pipeline: 'user-login',
      metric: 'logins',
      from: '1970-01-01T00:00:00.000Z',
      value: 21,
      offsets: { 0: 4, 1: 4 },
    })
  })

  test('posts an alert to the hook, and says so where the hook does not take it', {
    timeout: 90_000,
  }, async () => {
    const keys = keysOf(settings.clusterId)
    const aggregates = { errors: total.errors() }
    const folder = new Folder(aggregates, { watermark: 0, now: 0 })
    for (let i = 0; i < 100; i++) folder.error('parsing')
    const windows = folder.take().windows.map(({ value, ...window }) => ({
      ...window,
      size: 'total',
      value: encode(aggregates.errors, value),
      offset: 100,
      lifeMs: 0,
    }))
    const place = { pipeline: privacy.name, slot: 0, epoch: 1, stateTopicId: 't' }
    await viewPublisher(redis, keys, place).publish({ windows, watermark: 0, floors: {}, full: true })
    const hook = createServer().listen(0, '127.0.0.1')
    await once(hook, 'listening')
    const { port } = hook.address() as AddressInfo
    const posts = on(hook, 'request')
    const leader = start({ MILLRACE_ALERT_HOOK: `http://127.0.0.1:${port}/` })
    await redisWorkers(redis, keys).renew(reportOf('x', [], { pipeline: privacy.name, slots: 1 }), 60_000)
    for (let tried = 0; tried < 3; tried++) {
      const { value } = await posts.next()
      const [request, response] = value as [IncomingMessage, ServerResponse]
      expect(await json(request)).toMatchObject({ pipeline: privacy.name, errorClass: 'parsing', count: 100 })
      response.writeHead(503).end()
    }
    while (!leader.lines().includes('the alert hook did not take')) await sleep(systemClock, 50)
    hook.close()
    expect(leader.lines()).toMatch(/login-privacy: 100 dead letters of class parsing \(alert at 100\)/)
    expect(leader.lines()).toMatch(/alert of class parsing: it answers 503"}\n/)
    leader.child.kill('SIGTERM')
    expect(await leader.exited).toBe(0)
  })

  test('a killed leader is followed by the standby within its lease', async () => {
    const first = start()
    await until(first, ({ leading }) => leading)
    const second = start()
    await until(second, ({ sees }) => sees)
    first.child.kill('SIGKILL')
    const before = performance.now()
    await until(second, ({ leading }) => leading)
    expect(performance.now() - before).toBeLessThan(LEASE + 2000)
  })

  test('what keeps it from starting is one line and an exit code', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const unreachable = start({ MILLRACE_REDIS_URL: url, MILLRACE_START_TIMEOUT: '300ms' })
    expect(await unreachable.exited).toBe(5)
    expect(unreachable.lines()).toMatch(/does not answer/)
    expect(unreachable.lines()).not.toMatch(/ {4}at /)

    const holder = start()
    await until(holder, ({ sees }) => sees)
    const port = new URL(/http:\S+/.exec(holder.lines())?.[0] ?? '').port
    const taken = start({ MILLRACE_HTTP_PORT: port })
    expect(await taken.exited).toBe(2)
    expect(taken.lines()).toMatch(/:\d+ cannot be opened/)
  })

  test('makes its token at the first start and tells a link that logs a browser in; the next start has the same', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-login-'))
    try {
      const env = { MILLRACE_HTTP_HOST: '0.0.0.0', MILLRACE_HTTP_TOKEN_PATH: join(folder, 'token') }
      const cookies: string[] = []
      for (const one of [start(env), start(env)]) {
        const link = await one.says(/log in with a browser at (\S+)/)
        const { status, headers } = await fetch(link, { redirect: 'manual' })
        expect(status).toBe(303)
        const [cookie = ''] = headers.get('set-cookie')?.split(';') ?? []
        const page = (path: string, sent: Record<string, string>) =>
          fetch(new URL(path, link), { headers: sent })
        expect((await page(headers.get('location') ?? '', { cookie })).status).toBe(200)
        expect((await page('/api/status', {})).status).toBe(401)
        cookies.push(cookie)
      }
      expect(new Set(cookies).size).toBe(1)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('behind a proxy it tells the address that people use', async () => {
    const one = start({ MILLRACE_HTTP_URL: 'https://mill.example/' })
    expect(await one.says(/serves (\S+)/)).toBe('https://mill.example/api/status')
  })

  test('a token that is set is told to nobody', async () => {
    const one = start({ MILLRACE_HTTP_TOKEN: 'a-token-that-is-set' })
    await one.says(/serves (\S+)/)
    one.child.kill('SIGTERM')
    expect(await one.exited).toBe(0)
    expect(one.lines()).not.toMatch(/a-token-that-is-set|\/login/)
  })
})

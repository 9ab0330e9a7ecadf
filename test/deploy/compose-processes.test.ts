/**
 * `docker compose up --scale worker=4` without an engine: the services of ours that the file resolves to, each with its own command and
 * environment, as processes on a native Kafka and Redis. Only what a container has to itself is put elsewhere: addresses, ports, folders.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditReport } from '../../audit/report.ts'
import { freePort } from '../../cli/services/ports.ts'
import { run } from '../../cli/services/run.ts'
import { messageOf } from '../../cluster/errors.ts'
import { parseDuration } from '../../cluster/settings.ts'
import type { CoordinatorStatus } from '../../coordinator/coordinator.ts'
import { root } from '../house/tree.ts'
import { clean, Running, until } from '../support/cluster.ts'
import { ensureComposeLoader } from '../support/deploy-tools.ts'
import { startOwnKafka, startOwnRedis } from '../support/services.ts'
import { load, type Project } from './compose-file.ts'
import { environment, execForm } from './dockerfile.ts'

const WORKERS = 4
let stack: AsyncDisposableStack
/** Why Compose's loader is not to be had on this machine; never in CI. */
let lack: string | undefined
let project: Project
/** From what containers call each other to where that is here. */
let here: readonly (readonly [string, string])[]
let own: Readonly<Record<string, string>>

/** What was sent there. */
const traces = { requests: 0 }

/** Stands for Jaeger: takes whatever is sent to it. */
const startCollector = async (): Promise<string> => {
  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/v1/traces') traces.requests++
    request
      .resume()
      .on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.close()
    server.closeAllConnections()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  lack = await ensureComposeLoader().then(() => undefined, messageOf)
  if (lack !== undefined && process.env.CI === 'true') throw new Error(lack)
  if (lack !== undefined) return
  const [kafka, redis] = await Promise.all([
    startOwnKafka(),
    startOwnRedis({ 'maxmemory-policy': 'noeviction' }),
  ])
  stack.use(kafka)
  stack.use(redis)
  const folder = stack.adopt(await mkdtemp(join(tmpdir(), 'millrace-compose-')), (path) =>
    rm(path, { recursive: true }),
  )
  const port = String(await freePort())
  project = await load([], { MILLRACE_HTTP_PORT: port, GENERATOR_RATE: '500' })
  here = [
    ['kafka:9092', kafka.addresses.join(',')],
    ['redis://redis:6379', redis.url],
    ['jaeger:4318', await startCollector()],
    ['/var/lib/millrace', folder],
  ]
  own = { MILLRACE_HTTP_PORT: port, MILLRACE_METRICS_HOST: '127.0.0.1', MILLRACE_METRICS_PORT: '0' }
}, 180_000)
afterAll(() => stack.disposeAsync())

const environmentOf = (name: string): Readonly<Record<string, string>> => {
  const given = { ...environment, ...project.services[name]?.environment, ...own }
  const moved = Object.entries(given).map(([key, value]) => [
    key,
    here.reduce((text, [there, place]) => text.replace(there, place), value),
  ])
  return Object.fromEntries(moved) as Record<string, string>
}

/** A container of the service, with another command where one is given: `docker compose run`. */
const container = (name: string, command = project.services[name]?.command ?? []): Running =>
  stack.use(new Running(command, environmentOf(name)))

/** A browser that has followed the login link. */
const logIn = async (coordinator: Running): Promise<(path: string) => Promise<Response>> => {
  const says = /log in with a browser at (\S+)/
  await coordinator.says(says, 60_000)
  const link = says.exec(coordinator.lines.join('\n'))?.[1] ?? ''
  const { headers } = await fetch(link, { redirect: 'manual' })
  const cookie = headers.get('set-cookie')?.split(';')[0] ?? ''
  return (path) => fetch(new URL(path, link), { headers: { cookie } })
}

interface Target {
  readonly targets: readonly [string]
  readonly labels: Readonly<Record<string, string>>
}

/** As Prometheus finds them, and as Docker asks each of them whether it is well. */
const allAreSeen = async (get: (path: string) => Promise<Response>): Promise<void> => {
  const found = (await (await get('/sd/prometheus')).json()) as readonly Target[]
  const roles = found.map(({ labels }) => labels.millrace_role).sort()
  expect(roles).toEqual(['coordinator', ...Array.from({ length: WORKERS }, () => 'worker')])
  for (const { targets } of found) {
    const [target] = targets
    expect(await (await fetch(`http://${target}/metrics`)).text()).toMatch(/^millrace_/m)
    const [, script = '', ...path] = execForm('HEALTHCHECK')
    const env = { MILLRACE_METRICS_PORT: target.split(':')[1] ?? '' }
    const check = await run(process.execPath, [script.replace(/^\/app/, root), ...path], { env })
    expect(check, target).toMatchObject({ code: 0 })
  }
}

/** On a busy machine a kept connection may just have been closed: it is asked again anyway. */
const unlessClosed = (error: unknown): boolean => {
  if (error instanceof TypeError) return false
  throw error
}

test('four workers share the slots, one leaves in good order, and the audit is clean', {
  timeout: 300_000,
}, async ({ skip }) => {
  if (lack !== undefined) return skip(lack)
  expect(await container('topics').exited).toBe(0)
  const coordinator = container('coordinator')
  const get = await logIn(coordinator)
  await until('it sees the cluster', 60_000, async () => (await get('/readyz')).status === 200)
  const status = async () => (await (await get('/api/status')).json()) as CoordinatorStatus
  const slotsOf = async () => {
    const { workers } = await status()
    const running = workers.map(({ owned }) => owned.filter(({ state }) => state === 'running'))
    return running.map((slots) => slots.length)
  }

  const workers = Array.from({ length: WORKERS }, () => container('worker'))
  const generator = container('generator')
  const lines = () => [coordinator, ...workers, generator].flatMap((one) => one.lines.slice(-10)).join('\n')
  const waitFor = (what: string, holds: () => Promise<boolean>) =>
    until(what, 90_000, () => holds().catch(unlessClosed)).catch((error: Error) =>
      expect.fail(`${error.message}\n${lines()}`),
    )
  await waitFor('each of four has two of the eight slots', async () => (await slotsOf()).join() === '2,2,2,2')
  // Nobody gave them names: each has leased its own.
  expect(new Set((await status()).workers.map(({ worker }) => worker)).size).toBe(WORKERS)

  await allAreSeen(get)

  const doneBy = async () =>
    (await status()).workers.map(({ owned }) => owned.reduce((sum, { counters }) => sum + counters.done, 0))
  await waitFor('traces have come', async () => traces.requests > 0)
  await waitFor('all four have worked', async () => (await doneBy()).every((done) => done > 200))

  const grace = parseDuration(project.services.worker?.stop_grace_period ?? '0s')
  const asked = performance.now()
  expect(await workers[0]?.stop('SIGTERM')).toBe(0)
  expect(performance.now() - asked).toBeLessThan(grace)
  await waitFor('three have all slots', async () => {
    const slots = (await slotsOf()).filter((count) => count > 0)
    return slots.length === WORKERS - 1 && slots.reduce((sum, count) => sum + count, 0) === 8
  })
  expect(await generator.stop('SIGTERM')).toBe(0)
  await waitFor('the lag is zero', async () =>
    (await status()).workers.every(({ owned }) =>
      owned.every(({ partitions }) => partitions.every(({ lag }) => lag === 0)),
    ),
  )

  const audit = container('coordinator', ['audit', '-o', 'json'])
  expect(await audit.exited).toBe(0)
  const report = JSON.parse(audit.lines.slice(audit.lines.indexOf('{')).join('\n')) as AuditReport
  expect(report).toMatchObject(clean)
  expect(report.produced).toBeGreaterThan(1000)
  expect(report.outputs + report.dead).toBe(report.produced)
  expect(report.dead).toBeGreaterThan(0)
  for (const one of [...workers.slice(1), coordinator]) expect(await one.stop('SIGTERM')).toBe(0)
})

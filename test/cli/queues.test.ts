/** The retry queues as people see them: a record that waits, on real parts, through the API and in a real browser. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withProducer } from '../../cli/produce.ts'
import type { RetryData } from '../../cluster/protocol/retries.ts'
import { queuePlace } from '../../cluster/redis/retry-queue.ts'
import { Chromium, findChromium } from '../support/chromium.ts'
import { Running, TestCluster, until } from '../support/cluster.ts'
import { useServices } from '../support/services.ts'

const refused = fileURLToPath(new URL('fixtures/refused.ts', import.meta.url))
const TOKEN = 'a-token'
const TRACES = 'http://traces.example/trace/{traceId}?view=all'
/** Of the first wait: no run but those that are asked for. */
const DELAY_MS = 600_000

let stack: AsyncDisposableStack
let cluster: TestCluster
let name: string
/** Read-only for everybody on this machine; and with actions for who has the token. */
let open: string
let guarded: string
/** ms since the epoch. */
let parkedAt: number

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  const { kafka, redis } = await useServices()
  const settings = { retryDelay: DELAY_MS, retryJitter: 0, traceUrl: TRACES }
  // Nobody takes them: a job names its trace all the same.
  const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_SAMPLER: 'always_on' }
  const options = { kafka, redis, pipeline: refused, partitions: 1, settings, env }
  cluster = stack.use(await TestCluster.open(options))
  name = queuePlace(cluster.settings.clusterId, 'refused', cluster.settings.topicPrefix).name
  // The pages come from the package, wherever it was started.
  const elsewhere = stack.adopt(await mkdtemp(join(tmpdir(), 'millrace-queues-')), (folder) =>
    rm(folder, { recursive: true }),
  )
  const start = (more: Readonly<Record<string, string>>) =>
    stack.use(new Running(['coordinator'], { ...cluster.env, ...more }, elsewhere))
  const coordinators = [start({}), start({ MILLRACE_HTTP_TOKEN: TOKEN, MILLRACE_QUEUE_ACTIONS: 'true' })]
  cluster.run('worker')
  const urls = await Promise.all(coordinators.map(pagesOf))
  open = urls[0] ?? ''
  guarded = urls[1] ?? ''
  await cluster.settled(60_000)
  await produce('ann of long street 0815', { user_id: 'ann of long street' })
  await until('one job waits', 30_000, async () => (await look()).counts.delayed === 1)
  parkedAt = Date.now()
})
afterAll(() => stack.disposeAsync())

const pagesOf = async (coordinator: Running): Promise<string> => {
  const says = /retry queues under (\S+)/
  await coordinator.says(says, 60_000)
  return says.exec(coordinator.lines.join('\n'))?.[1] ?? ''
}

const produce = (key: string, value: object): Promise<void> =>
  withProducer(
    cluster.settings,
    { topic: cluster.names.input, which: 'input', acks: 'all' },
    async (producer) => {
      await producer.send([{ key, value: Buffer.from(JSON.stringify(value)) }])
    },
  )

interface ShownJob {
  readonly id: string
  readonly data: RetryData
  readonly attempts: number
  readonly delay: number
  readonly timestamp: number
  readonly failedReason?: string
  readonly externalUrl?: { readonly displayText: string; readonly href: string }
  readonly opts: { readonly attempts: number }
}
interface ShownQueue {
  readonly name: string
  readonly readOnlyMode: boolean
  readonly counts: { readonly delayed: number }
  readonly jobs: readonly ShownJob[]
}

const login = { authorization: `Bearer ${TOKEN}` }

const ask = (pages: string, method: string, action: string, body?: object): Promise<Response> =>
  fetch(`${pages}/api/queues/${encodeURIComponent(name)}/${action}`, {
    method,
    headers: { ...login, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })

/** The queue as the read-only page has it. */
const look = async (): Promise<ShownQueue> => {
  const query = new URLSearchParams({ activeQueue: name, status: 'delayed', page: '1', jobsPerPage: '10' })
  const reply = await fetch(`${open}/api/queues?${query}`)
  const { queues } = (await reply.json()) as { readonly queues: readonly ShownQueue[] }
  const [found] = queues
  return found ?? { name: '', readOnlyMode: false, counts: { delayed: 0 }, jobs: [] }
}

test('a job says where its record is, what is wrong and when it runs again; of key and value only what is masked', async () => {
  const { jobs, ...queue } = await look()
  expect(queue).toMatchObject({ name, readOnlyMode: true, counts: { delayed: 1 } })
  const [job] = jobs
  expect(job).toMatchObject({
    id: '0-0',
    data: {
      origin: `${cluster.names.input}/0/0`,
      key: '***0815',
      preview: '{"user_id":"***"}',
      code: 'lookup-down',
      message: 'refused run 1',
      next: 'run 2 of 4',
    },
    opts: { attempts: cluster.settings.retryAttempts - 1 },
  })
  const due = Date.parse(job?.data.due ?? '')
  expect(Math.abs(due - parkedAt - DELAY_MS)).toBeLessThan(60_000)
  expect(Math.abs((job?.timestamp ?? 0) + (job?.delay ?? 0) - due)).toBeLessThan(1000)
  expect(JSON.stringify(job)).not.toMatch(/long street/)
})

test('a job leads to its trace, where the settings say where traces are', async () => {
  const [job] = (await look()).jobs
  const traceId = job?.data.traceId ?? ''
  expect(traceId).toMatch(/^[0-9a-f]{32}$/)
  const href = `http://traces.example/trace/${traceId}?view=all`
  expect(job?.externalUrl).toEqual({ displayText: 'Trace', href })
})

test('it is read-only: whatever would change the queue is refused', async () => {
  for (const action of ['promote', 'pause', 'empty', 'obliterate', 'retry/failed', 'clean/delayed'])
    expect((await ask(open, 'PUT', action)).status, action).toBe(405)
  for (const action of ['retry', 'clean', 'promote'])
    expect((await ask(open, 'PUT', `0-0/${action}`)).status, action).toBe(405)
  for (const [action, body] of Object.entries({ 'update-data': { jobData: {} }, delay: { runAt: 0 } }))
    expect((await ask(open, 'PATCH', `0-0/${action}`, body)).status, action).toBe(405)
  const { jobs } = await look()
  expect(jobs.map(({ id, delay, data }) => [id, delay > 0, data.code])).toEqual([
    ['0-0', true, 'lookup-down'],
  ])
})

test('where a login is set nothing is shown without it', async () => {
  for (const path of ['', '/api/queues', '/static/favicon.ico']) {
    expect((await fetch(`${guarded}${path}`)).status, path).toBe(401)
    expect((await fetch(`${guarded}${path}`, { headers: login })).status, path).toBe(200)
  }
})

test('a delayed job and its attempts are seen in a browser, which asks nobody else', {
  timeout: 180_000,
}, async ({ skip }) => {
  const chromium = await findChromium()
  if (chromium.path === undefined) {
    if (process.env.CI === 'true') throw new Error(chromium.lack)
    return skip(chromium.lack)
  }
  await using browser = await Chromium.start(chromium.path)
  const address = `${open}/queue/${encodeURIComponent(name)}?status=delayed`
  const page = await browser.page(address)
  const before = await page.shows(/next:.*"run 2 of 4"/, 30_000)
  for (const text of ['lookup-down', 'refused run 1', '***0815', `${cluster.names.input}/0/0`])
    expect(before).toContain(text)
  for (const run of [2, 3]) {
    // Whoever may act presses its button; it fails again.
    expect((await ask(guarded, 'PUT', '0-0/promote')).status).toBe(204)
    await until('it waits again', 30_000, async () => (await look()).jobs[0]?.attempts === run - 1)
    await page.go(address)
    await page.shows(new RegExp(`refused run ${run}(.|\\n)*run ${run + 1} of 4`), 30_000)
  }
  const { jobs } = await look()
  expect(await page.shows(/run 4 of 4/, 30_000)).toContain(jobs[0]?.data.due)
  await page.click('button', 'Error')
  await page.shows(/lookup-down: refused run 3.*lookup-down: refused run 2/s, 30_000)
  expect(page.errors).toEqual([])
  expect([...page.answers].filter(([, status]) => status !== 200)).toEqual([])
  expect([...page.asked.values()].filter((url) => !url.startsWith(open))).toEqual([])
  expect(page.answers.size).toBeGreaterThan(5)
})

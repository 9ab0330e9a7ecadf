import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { postAlerts } from '../../cli/alert-hook.ts'
import { freePort } from '../../cli/services/ports.ts'
import { EventBus, type Events } from '../../cluster/events.ts'
import { alertUnsentLine } from '../../telemetry/log.ts'

const alert = { pipeline: 'p', errorClass: 'parsing', count: 120, at: 100 }
const backoff = { firstMs: 10, maxMs: 20 }

interface Got {
  readonly request: IncomingMessage
  readonly body: unknown
}

/** @param answers by request, the last one for all later ones; undefined: never */
const hookThat = async (...answers: readonly (number | undefined)[]) => {
  const got: Got[] = []
  const answer: RequestListener = async (request, response) => {
    const status = answers[Math.min(got.length, answers.length - 1)]
    got.push({ request, body: await json(request) })
    if (status !== undefined) response.writeHead(status, { location: '/elsewhere' }).end('said')
  }
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/alerts`,
    got,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** @returns what was told, once every alert is posted or given up */
const posted = async (
  url: string,
  options: Partial<Parameters<typeof postAlerts>[1]> = {},
  alerts = [alert],
) => {
  const events = new EventBus()
  const told: Events['alertUnsent'][] = []
  events.on('alertUnsent', (unsent) => told.push(unsent))
  const hook = postAlerts(url, { events, backoff, lastMs: 30_000, ...options })
  for (const one of alerts) events.emit('alert', one)
  await hook[Symbol.asyncDispose]()
  return told
}

test('an alert is posted as JSON, once', async () => {
  await using hook = await hookThat(204)
  expect(await posted(hook.url)).toEqual([])
  expect(hook.got).toHaveLength(1)
  const [{ request, body } = {}] = hook.got
  expect(request).toMatchObject({ method: 'POST', url: '/alerts' })
  expect(request?.headers['content-type']).toBe('application/json')
  expect(body).toEqual({ ...alert, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) })
})

test('alerts come one after another, each of them, and what fails once is tried again', async () => {
  await using hook = await hookThat(500, 200)
  const classes = ['a', 'b', 'c'].map((errorClass) => ({ ...alert, errorClass }))
  expect(await posted(hook.url, {}, classes)).toEqual([])
  expect(hook.got.map(({ body }) => (body as typeof alert).errorClass)).toEqual(['a', 'a', 'b', 'c'])
})

test('a login within the address becomes basic authentication', async () => {
  await using hook = await hookThat(200)
  expect(await posted(hook.url.replace('//', '//ann:se%3Acret@'))).toEqual([])
  const login = Buffer.from('ann:se:cret').toString('base64')
  expect(hook.got[0]?.request.headers.authorization).toBe(`Basic ${login}`)
})

test.each([404, 302])('a hook that answers %d is told after a few tries', async (status) => {
  await using hook = await hookThat(status)
  const told = await posted(hook.url)
  expect(told.map(alertUnsentLine)).toEqual([
    `p: the alert hook did not take the alert of class parsing: it answers ${status}`,
  ])
  expect(hook.got).toHaveLength(3)
})

test('a dead port is told with its reason, without the path or login', async () => {
  const port = await freePort()
  const [told, ...others] = await posted(`http://ann:hunter2@127.0.0.1:${port}/secret`)
  expect(others).toEqual([])
  expect(told).toMatchObject({ pipeline: 'p', reason: expect.stringContaining('ECONNREFUSED') })
  expect(JSON.stringify(told)).not.toMatch(/hunter2|secret/)
})

test('a hook that hangs is left at the deadline of each try', async () => {
  await using hook = await hookThat(undefined)
  const told = await posted(hook.url, { deadlineMs: 200 })
  expect(told).toMatchObject([{ reason: 'no answer within 0.2 s' }])
  expect(hook.got).toHaveLength(3)
})

test('the end waits a little for what hangs, no longer; what was still to come is told', async () => {
  await using hook = await hookThat(undefined)
  const started = performance.now()
  const told = await posted(hook.url, { deadlineMs: 120_000, lastMs: 200 }, [alert, alert])
  expect(told.map(({ reason }) => reason)).toEqual(['the coordinator ends', 'the coordinator ends'])
  expect(performance.now() - started).toBeLessThan(20_000)
  expect(hook.got).toHaveLength(1)
})

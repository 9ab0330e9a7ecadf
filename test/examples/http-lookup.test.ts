import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { pipeline } from '../../examples/http-lookup/pipeline.ts'
import { type RunOptions, run } from '../../pipelines/testing.ts'

/** A real server for one test. */
const serve = async (listener: RequestListener) => {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/customers`
  return { url, stop, [Symbol.asyncDispose]: stop }
}

const idOf = (path = ''): string | null => new URL(path, 'http://x').searchParams.get('id')
const order = (customer: string) => ({ id: 'o', customer, amount: 5 })
const lookUp = async (url: string, customers: readonly string[], more: RunOptions = {}) =>
  run(pipeline, customers.map(order), { ...more, options: { url, ...more.options } })

test('an answer becomes a field of the output, whatever the customer is called', async () => {
  const asked: (string | null)[] = []
  await using server = await serve(({ url }, response) => {
    asked.push(idOf(url))
    response.end('{"tier":"gold"}')
  })
  const names = ['c1', '../admin', 'a b&id=2', 'ü']
  const { outcomes, aggregates } = await lookUp(server.url, names, { timestamp: 0 })
  expect(outcomes).toEqual(
    names.map((customer) => ({ outcome: 'done', value: { ...order(customer), tier: 'gold' } })),
  )
  expect(asked.toSorted()).toEqual(names.toSorted())
  expect(aggregates).toMatchObject({ orders_by_tier: { '1970-01-01T00:00:00.000Z': { gold: 4 } } })
})

test.each([
  [500, { outcome: 'retry', code: 'lookup-failed', message: 'status 500' }],
  [503, { outcome: 'retry', code: 'lookup-failed', message: 'status 503' }],
  [429, { outcome: 'retry', code: 'lookup-failed', message: 'status 429' }],
  [408, { outcome: 'retry', code: 'lookup-failed', message: 'status 408' }],
  [404, { outcome: 'dead', code: 'unknown-customer', message: '' }],
  [403, { outcome: 'dead', code: 'lookup-refused', message: 'status 403' }],
])('status %i', async (status, outcome) => {
  await using server = await serve((_, response) => response.writeHead(status).end('{"tier":"gold"}'))
  expect((await lookUp(server.url, ['c'])).outcomes).toEqual([outcome])
})

test.each(['', 'gold', '[]', '{}', '{"tier":7}', 'null'])('the answer %j is dead', async (body) => {
  await using server = await serve((_, response) => response.end(body))
  expect((await lookUp(server.url, ['c'])).outcomes).toMatchObject([
    { outcome: 'dead', code: 'lookup-answer' },
  ])
})

test('a server that does not answer in time is a retry, and so is one that stops in the middle', async () => {
  await using silent = await serve(() => undefined)
  await using slow = await serve((_, response) => response.write('{"tier"'))
  for (const { url } of [silent, slow])
    expect((await lookUp(url, ['c'], { options: { timeout_ms: 50 } })).outcomes).toMatchObject([
      { outcome: 'retry', code: 'lookup-timeout' },
    ])
})

test('the end of the batch ends its requests', async () => {
  const aborter = new AbortController()
  await using server = await serve(() => aborter.abort())
  const more = { signal: aborter.signal, options: { timeout_ms: 600_000 } }
  const { outcomes } = await lookUp(server.url, ['a', 'b'], more)
  expect(outcomes).toMatchObject([{ code: 'lookup-timeout' }, { code: 'lookup-timeout' }])
})

test('no server is a retry; no URL stops the start', async () => {
  const server = await serve(() => undefined)
  await server.stop()
  expect((await lookUp(server.url, ['c'])).outcomes).toMatchObject([
    { outcome: 'retry', code: 'lookup-unreachable' },
  ])
  await expect(lookUp('nowhere', ['c'])).rejects.toThrow('http-lookup: schema or setup failed: Invalid URL')
})

test('an order that does not fit is dead before anybody is asked', async () => {
  let asked = 0
  await using server = await serve((_, response) => {
    asked++
    response.end('{"tier":"gold"}')
  })
  const { outcomes } = await run(pipeline, [{ ...order('c'), amount: -1 }, order('')], {
    options: { url: server.url },
  })
  expect(outcomes).toMatchObject([{ code: 'schema:amount' }, { code: 'schema:customer' }])
  expect(asked).toBe(0)
})

/** How one bulk is written, against a server that says what it is told to. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { EventBus } from '../../../cluster/events.ts'
import { readSettings } from '../../../cluster/settings.ts'
import { openSearchClient } from '../../../sinks/opensearch/client.ts'
import { OpenSearchStore } from '../../../sinks/opensearch/store.ts'
import { recordOf } from '../made.ts'

interface Said {
  readonly status: number
  readonly body?: unknown
  /** The answer begins, and never ends. */
  readonly stalls?: boolean
  /** The answer begins, and the connection is reset. */
  readonly resets?: boolean
}

const stored = (ids: readonly string[]): Said => said(ids.map(() => 201))(ids)
/** By document, its status; 400 and above with a type. */
const said =
  (statuses: readonly number[], type = 'some_exception') =>
  (ids: readonly string[]): Said => ({
    status: 200,
    body: {
      items: ids.map((_id, n) => {
        const status = statuses[n] ?? 201
        return { index: { _id, status, ...(status >= 300 && { error: { type, reason: 'x' } }) } }
      }),
    },
  })

type Answer = (ids: readonly string[]) => Said

const documents = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    id: String(n),
    source: Buffer.from('{}'),
    record: recordOf(n, '{}'),
  }))

/** The last answer is given from then on. */
const write = async (count: number, answers: readonly Answer[], timeout = 10_000) => {
  const asked: (readonly string[])[] = []
  const server = createServer(async (request, response) => {
    const lines = (await text(request)).split('\n').filter((line) => line.startsWith('{"index"'))
    const ids = lines.map((line) => JSON.parse(line).index._id as string)
    const { status, body, stalls, resets } = answers[Math.min(asked.length, answers.length - 1)]?.(ids) ?? {
      status: 500,
    }
    asked.push(ids)
    response.writeHead(status, { 'content-type': 'application/json' })
    if (stalls || resets) response.write('{"items":[')
    else response.end(JSON.stringify(body ?? {}))
    // A reset takes along what has not been read yet: first the head must arrive.
    if (resets) setTimeout(() => response.socket?.resetAndDestroy(), 100)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const events = new EventBus()
  const told: string[] = []
  events.on('waiting', ({ detail }) => told.push(detail))
  let made = 0
  const { port } = server.address() as AddressInfo
  const client = openSearchClient(readSettings({}, { opensearchUrl: [`http://127.0.0.1:${port}`] }))
  const store = new OpenSearchStore({
    client,
    index: 'i',
    fields: new Set(),
    timeout,
    backoff: { firstMs: 1, maxMs: 5 },
    ensureIndex: async () => void made++,
    events,
  })
  try {
    const rejections = await store.write(documents(count), new AbortController().signal)
    return { asked, told, made, rejected: rejections.map(({ record, code }) => [record.offset, code]) }
  } finally {
    await client.close()
    server.closeAllConnections()
    server.close()
  }
}

test('only what was not taken goes again', async () => {
  const { asked, rejected } = await write(4, [said([201, 429, 400, 503]), said([429, 201]), stored])
  expect(asked).toEqual([['0', '1', '2', '3'], ['1', '3'], ['1']])
  expect(rejected).toEqual([[2, 'opensearch:some_exception']])
})

test('what lasts is asked again without an end, and said once', async () => {
  const away: Answer = () => ({ status: 503 })
  const { asked, told } = await write(1, [...Array.from({ length: 30 }, () => away), stored])
  expect(asked).toHaveLength(31)
  expect(told).toEqual(['it answers 503'])
})

test('an answer about something else is no answer', async () => {
  const { asked } = await write(2, [(ids) => stored(ids.toReversed()), (ids) => stored(ids.slice(1)), stored])
  expect(asked).toHaveLength(3)
})

test('an answer that stalls half-way ends at its deadline', async () => {
  const { asked, told } = await write(1, [() => ({ status: 200, stalls: true }), stored], 200)
  expect(asked).toHaveLength(2)
  expect(told).toEqual(['no answer in time'])
})

test('a connection reset in the middle of an answer is asked again, and nothing is printed', async () => {
  const printed = vi.spyOn(console, 'log')
  const { asked } = await write(1, [() => ({ status: 200, resets: true }), stored])
  expect(asked).toHaveLength(2)
  expect(printed.mock.calls).toEqual([])
})

test('too much for whoever stands before OpenSearch goes in halves; what is too large alone is rejected', async () => {
  const most = (ids: readonly string[]): Said =>
    ids.length > 2 || ids.includes('3') ? { status: 413 } : stored(ids)
  const { rejected } = await write(5, [most])
  expect(rejected).toEqual([[3, 'opensearch:too-large']])
})

test('an index that has gone is made again', async () => {
  const gone = said([404], 'index_not_found_exception')
  const { made, asked } = await write(1, [gone, () => ({ status: 404 }), stored])
  expect([made, asked.length]).toEqual([2, 3])
})

test('refused credentials and a refused bulk end it', async () => {
  await expect(write(1, [() => ({ status: 401 })])).rejects.toMatchObject({ code: 'opensearch-auth' })
  await expect(write(1, [said([403], 'security_exception')])).rejects.toMatchObject({
    code: 'opensearch-auth',
  })
  await expect(write(1, [() => ({ status: 400 })])).rejects.toMatchObject({ code: 'opensearch-refused' })
})

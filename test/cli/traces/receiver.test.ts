import { request as httpRequest } from 'node:http'
import { gzipSync } from 'node:zlib'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { expect, test } from 'vitest'
import { receiveTraces } from '../../../cli/traces/receiver.ts'
import { type ReceivedSpan, spansOfRequest } from '../../../cli/traces/spans.ts'
import { traceStore } from '../../../cli/traces/store.ts'
import { traceText } from '../../../cli/traces/text.ts'
import { otlpOf, plain, retriedTwice, spanOf } from '../../support/traces.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

const post = async (
  url: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = JSON_TYPE,
) => {
  const reply = await fetch(`${url}/v1/traces`, { method: 'POST', body: Buffer.from(body), headers })
  return { status: reply.status, type: reply.headers.get('content-type'), body: await reply.json() }
}

const byId = (spans: readonly ReceivedSpan[]) => spans.toSorted((a, b) => (a.spanId < b.spanId ? -1 : 1))

test('a trace from several processes comes back whole, packed or not', async () => {
  await using receiver = await receiveTraces()
  const { traceId, spans } = retriedTwice()
  const [first, second] = [spans.slice(0, 8), spans.slice(8)].map((some) => JSON.stringify(otlpOf(some)))
  const taken = { status: 200, type: 'application/json', body: {} }
  expect(await post(receiver.url, first ?? '')).toEqual(taken)
  expect(receiver.pick(), 'without its settling').toBeUndefined()
  const packed = { ...JSON_TYPE, 'content-encoding': 'gzip' }
  expect(await post(receiver.url, gzipSync(second ?? ''), packed)).toEqual(taken)
  const picked = receiver.pick()
  expect(picked?.traceId).toBe(traceId)
  expect(byId(picked?.spans ?? [])).toEqual(byId(spans))
})

test('ids of any case, times as numbers, unknown fields and empty lists are OTLP as well', () => {
  const span = {
    traceId: 'ABCDEF0123456789ABCDEF0123456789',
    spanId: 'ABCDEF0123456789',
    parentSpanId: '',
    name: 'run',
    kind: 1,
    startTimeUnixNano: 1_795_802_400_000_000_000,
    endTimeUnixNano: '1795802400001500000',
    attributes: [
      { key: 'i', value: { intValue: '7' } },
      { key: 'd', value: { doubleValue: 0.5 } },
      { key: 'b', value: { boolValue: false } },
      { key: 'list', value: { arrayValue: { values: [] } } },
      { key: 'none' },
    ],
    status: { code: 2, message: 'no' },
    brandNew: { any: 'thing' },
  }
  const [received] = spansOfRequest({ resourceSpans: [{}, { scopeSpans: [{ spans: [span] }, {}] }] }) ?? []
  expect(received).toEqual({
    traceId: 'abcdef0123456789abcdef0123456789',
    spanId: 'abcdef0123456789',
    name: 'run',
    service: '',
    startMs: 1_795_802_400_000,
    endMs: 1_795_802_400_001.5,
    attributes: { i: 7, d: 0.5, b: false },
    failed: true,
  })
  expect(spansOfRequest({})).toEqual([])
  const backwards = { ...span, endTimeUnixNano: '1' }
  const [cut] = spansOfRequest({ resourceSpans: [{ scopeSpans: [{ spans: [backwards] }] }] }) ?? []
  expect(cut?.endMs, 'an end before its start').toBe(cut?.startMs)
})

test.each([
  ['not JSON', '{', 400],
  ['no request', '{"resourceSpans":{}}', 400],
  [
    'ids in base64',
    JSON.stringify(
      otlpOf([
        { ...spanOf('x', { id: 'a', name: 'n', at: 0, took: 1 }), traceId: 'W47/95gDgQPSabYzgT/GDA==' },
      ]),
    ),
    400,
  ],
])('%s is refused for good', async (_, body, status) => {
  await using receiver = await receiveTraces()
  expect(await post(receiver.url, body)).toMatchObject({ status, body: { message: expect.any(String) } })
})

test('other paths, methods, types and packings are refused', async () => {
  await using receiver = await receiveTraces()
  const statusOf = async (path: string, init: RequestInit) => (await fetch(receiver.url + path, init)).status
  expect(await statusOf('/v1/metrics', { method: 'POST', body: '{}', headers: JSON_TYPE })).toBe(404)
  expect(await statusOf('/v1/traces', {})).toBe(405)
  const protobuf = { 'content-type': 'application/x-protobuf' }
  expect((await post(receiver.url, '{}', protobuf)).body).toEqual({
    message: 'application/json only: OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json',
  })
  expect((await post(receiver.url, '{}', { ...JSON_TYPE, 'content-encoding': 'br' })).status).toBe(415)
  expect((await post(receiver.url, '{}', { ...JSON_TYPE, 'content-encoding': 'gzip' })).status).toBe(400)
})

test('a request is bounded, packed and unpacked', async () => {
  await using receiver = await receiveTraces({ mostBytes: 10_000 })
  const large = JSON.stringify({ resourceSpans: [], padding: ' '.repeat(20_000) })
  expect((await post(receiver.url, large)).status).toBe(413)
  const packed = { ...JSON_TYPE, 'content-encoding': 'gzip' }
  expect((await post(receiver.url, gzipSync(large), packed)).status).toBe(413)
  expect((await post(receiver.url, '{}')).status, 'afterwards').toBe(200)
})

test('an end does not wait for a sender that hangs, and may come twice', async () => {
  const receiver = await receiveTraces()
  const half = httpRequest(`${receiver.url}/v1/traces`, { method: 'POST', headers: JSON_TYPE })
  const cut = new Promise((resolve) => half.on('error', resolve))
  await new Promise((written) => half.write('{', written))
  await receiver.close()
  await receiver.close()
  expect(await cut).toBeInstanceOf(Error)
  await expect(post(receiver.url, '{}')).rejects.toThrow()
})

const id = (index: number): string => index.toString(16).padStart(32, '0')
const trunk = (traceId: string, outcome: string): readonly ReceivedSpan[] => [
  spanOf(traceId, { id: 'a', name: 'send logins', at: 0, took: 1 }),
  spanOf(traceId, {
    id: 'b',
    parent: 'a',
    name: 'process logins',
    at: 1,
    took: 9,
    attributes: { 'millrace.outcome': outcome },
  }),
]

test('plain records never push out one that is or may be retried', () => {
  const store = traceStore(3)
  const { traceId, spans } = retriedTwice()
  store.add(spans.slice(0, 8)) // Parked; its next run is seconds away.
  store.add(trunk(id(1), 'retry'))
  for (let index = 2; index < 1000; index++) store.add(trunk(id(index), 'done'))
  expect(store.size).toBe(3)
  store.add(spans.slice(8))
  expect(store.pick()?.spans).toHaveLength(spans.length)
  expect(store.pick()?.traceId).toBe(traceId)
})

test('among equals the oldest goes', () => {
  const store = traceStore(2)
  const [first, second, third] = [id(1), id(2), id(3)].map((one) => retriedTwice(one))
  for (const one of [first, second, third]) store.add(one?.spans ?? [])
  expect(store.size).toBe(2)
  expect(store.pick()?.traceId).toBe(second?.traceId)
})

test('picked is the trace that misses nothing, then the one with the most runs', () => {
  const store = traceStore(10)
  store.add(plain().spans)
  expect(store.pick()).toBeUndefined()
  const headless = retriedTwice(id(1)).spans.slice(1)
  store.add(headless)
  expect(store.pick()?.traceId).toBe(id(1))
  const once = retriedTwice(id(2)).spans.map((span) =>
    span.attributes['millrace.attempt'] === 3 ? { ...span, attributes: { 'millrace.attempt': 2 } } : span,
  )
  store.add(once)
  expect(store.pick()?.traceId).toBe(id(2))
  store.add(retriedTwice(id(3)).spans)
  expect(store.pick()?.traceId).toBe(id(3))
  store.add(once) // Sent again, it is no second one.
  expect(store.size).toBe(4)
  expect(store.pick()?.spans).toHaveLength(17)
})

test("OpenTelemetry's own exporter speaks with it: http/json, gzip, the whole tree", async () => {
  await using receiver = await receiveTraces()
  process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = `${receiver.url}/v1/traces`
  process.env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL = 'http/json'
  process.env.OTEL_EXPORTER_OTLP_COMPRESSION = 'gzip'
  process.env.OTEL_METRICS_EXPORTER = 'none'
  process.env.OTEL_LOGS_EXPORTER = 'none'
  const sdk = new NodeSDK({
    resource: resourceFromAttributes({
      'service.name': 'millrace-worker',
      'millrace.worker': 'host-1-00003f2a',
    }),
  })
  sdk.start()
  const tracer = trace.getTracer('test')
  tracer.startActiveSpan('send logins', { kind: SpanKind.PRODUCER }, (send) => {
    tracer.startActiveSpan(
      'process logins',
      { attributes: { 'millrace.outcome': 'retry', 'kafka.offset': 7 } },
      (parked) => {
        parked.setStatus({ code: SpanStatusCode.ERROR })
        tracer.startActiveSpan('attempt logins', { attributes: { 'millrace.attempt': 2 } }, (attempt) => {
          tracer.startSpan('settle logins', { attributes: { 'millrace.outcome': 'done' } }).end()
          attempt.end()
        })
        parked.end()
      },
    )
    send.end()
  })
  await sdk.shutdown()
  const picked = receiver.pick()
  const named = new Map(picked?.spans.map((span) => [span.name, span]))
  expect(picked?.spans).toHaveLength(4)
  expect(named.get('process logins')).toMatchObject({
    parentId: named.get('send logins')?.spanId,
    service: 'millrace-worker',
    worker: 'host-1-00003f2a',
    attributes: { 'millrace.outcome': 'retry', 'kafka.offset': 7 },
    failed: true,
  })
  expect(named.get('settle logins')?.parentId).toBe(named.get('attempt logins')?.spanId)
  const age = Date.now() - (named.get('send logins')?.startMs ?? 0)
  expect(age).toBeGreaterThanOrEqual(0)
  expect(age).toBeLessThan(60_000)
  if (picked !== undefined) expect(traceText(picked)).toMatch(/└ settle logins +worker 3f2a/)
})

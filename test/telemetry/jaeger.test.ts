/** What later tests stand on: a real Jaeger gives back what it was sent, as a tree. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Jaeger, startJaeger } from '../support/jaeger.ts'
import { outline, spansOf } from '../support/jaeger-api.ts'

let jaeger: Jaeger
beforeAll(async () => {
  jaeger = await startJaeger()
})
afterAll(() => jaeger?.[Symbol.asyncDispose]())

const hex = (bytes: number): string => randomBytes(bytes).toString('hex')

interface Given {
  readonly traceId: string
  readonly spanId?: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind?: number
  readonly startNs: bigint
  readonly links?: readonly object[]
  readonly attributes?: readonly object[]
}

const spanOf = ({ startNs, spanId = hex(8), kind = 1, ...given }: Given) => ({
  spanId,
  kind,
  startTimeUnixNano: String(startNs),
  endTimeUnixNano: String(startNs + 1_500_000n),
  ...given,
})

/** By hand, as any program could. */
const send = async (service: string, spans: readonly object[]): Promise<void> => {
  const resource = {
    attributes: [
      { key: 'service.name', value: { stringValue: service } },
      { key: 'millrace.worker', value: { stringValue: `${service}-1` } },
    ],
  }
  const reply = await fetch(`${jaeger.otlpUrl}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  })
  expect(reply.status).toBe(200)
  await reply.arrayBuffer()
}

const now = (): bigint => BigInt(Date.now()) * 1_000_000n
const DEADLINE_MS = 30_000

test('spans of two services come back as one tree, with times, tags and links', async () => {
  const [traceId, elsewhere, root, child] = [hex(16), hex(16), hex(8), hex(8)]
  const startNs = now()
  const attributes = [
    { key: 'kafka.offset', value: { intValue: '1042' } },
    { key: 'millrace.outcome', value: { stringValue: 'retry' } },
  ]
  const links = [{ traceId: elsewhere, spanId: child }]
  await send('generator', [spanOf({ traceId, spanId: root, name: 'send logins', kind: 4, startNs })])
  await send('worker', [
    spanOf({ traceId, parentSpanId: child, name: 'run', startNs: startNs + 3_000_000n }),
    spanOf({ traceId, parentSpanId: child, name: 'mailbox', startNs: startNs + 2_000_000n }),
    spanOf({
      traceId,
      spanId: child,
      parentSpanId: root,
      name: 'process logins',
      kind: 5,
      startNs: startNs + 1_000_000n,
      links,
      attributes,
    }),
  ])
  const { roots } = await jaeger.awaitTrace((one) => spansOf(one.roots).length === 4, DEADLINE_MS)
  expect(outline(roots)).toBe('send logins\n  process logins\n    mailbox\n    run')
  const [sent] = roots
  expect(sent).toMatchObject({ service: 'generator', kind: 'producer', durationUs: 1500, links: [] })
  expect(sent?.startUs).toBe(Number(startNs / 1000n))
  expect(sent?.children).toMatchObject([
    {
      spanId: child,
      service: 'worker',
      kind: 'consumer',
      startUs: Number(startNs / 1000n) + 1000,
      tags: { 'kafka.offset': 1042, 'millrace.outcome': 'retry' },
      resource: { 'millrace.worker': 'worker-1' },
      links: [{ traceId: elsewhere, spanId: child }],
    },
  ])
  expect((await jaeger.trace(traceId))?.roots).toEqual(roots)
})

test('traces are found by service, operation, tag and number', async () => {
  const service = `finder-${hex(4)}`
  const tagged = (value: string) => [{ key: 'millrace.slot', value: { intValue: value } }]
  const traceIds = [hex(16), hex(16), hex(16)]
  for (const [index, traceId] of traceIds.entries())
    await send(service, [
      spanOf({
        traceId,
        name: index === 0 ? 'first' : 'later',
        startNs: now(),
        attributes: tagged(String(index)),
      }),
    ])
  await jaeger.awaitTrace(({ traceId }) => traceId === traceIds[2], DEADLINE_MS, { service })
  const idsOf = async (query: object) =>
    (await jaeger.traces({ service, ...query })).map(({ traceId }) => traceId).sort()
  expect(await jaeger.services()).toContain(service)
  expect(await idsOf({})).toEqual(traceIds.toSorted())
  expect(await idsOf({ operation: 'first' })).toEqual([traceIds[0]])
  expect(await idsOf({ tags: { 'millrace.slot': '1' } })).toEqual([traceIds[1]])
  expect(await idsOf({ limit: 2 })).toHaveLength(2)
  expect(await jaeger.traces({ service: 'nobody' })).toEqual([])
})

test('a span whose parent never came is a root of its own', async () => {
  const traceId = hex(16)
  await send('worker', [
    spanOf({ traceId, name: 'send a', startNs: now() }),
    spanOf({ traceId, parentSpanId: hex(8), name: 'process a', startNs: now() + 1_000_000n }),
  ])
  const found = await jaeger.awaitTrace(
    (one) => one.traceId === traceId && spansOf(one.roots).length === 2,
    DEADLINE_MS,
  )
  expect(outline(found.roots)).toBe('send a\nprocess a')
})

test('a wait in vain says what was there instead; an unknown trace is none', async () => {
  await send('worker', [spanOf({ traceId: hex(16), name: 'something else', startNs: now() })])
  await jaeger.awaitTrace(({ roots }) => roots[0]?.name === 'something else', DEADLINE_MS)
  await expect(jaeger.awaitTrace(() => false, 0)).rejects.toThrow(
    /no such trace within 0 s[\s\S]*something else/,
  )
  expect(await jaeger.trace(hex(16))).toBeUndefined()
})

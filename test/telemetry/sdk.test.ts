/** The SDK as a process starts it: all three signals arrive where `OTEL_*` says, and one that is away is told of. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { otlpSink } from '../../telemetry/log-sinks.ts'
import { type Sdk, startSdk } from '../../telemetry/sdk.ts'

const LOOPBACK = '127.0.0.1'
const before = { ...process.env }
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
})

const started = (tell: (line: string) => void = () => undefined): Promise<Sdk> =>
  startSdk({
    ...{ env: process.env, service: 'millrace-worker', version: '1.2.3', tell },
    attributes: { 'service.instance.id': 'w' },
  })

test('spans, metrics and log lines are sent, with the process they are of and nothing else of the machine', async () => {
  const bodies = new Map<string, string>()
  const server = createServer(async (request, response) => {
    bodies.set(request.url ?? '', await text(request))
    response.setHeader('content-type', 'application/json').end('{}')
  }).listen(0, LOOPBACK)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://${LOOPBACK}:${port}`
  process.env.OTEL_EXPORTER_OTLP_PROTOCOL = 'http/json'
  const sdk = await started()
  sdk.tracer.startSpan('a span').end()
  sdk.observed.add({ name: 'a_gauge', doc: '', unit: '1', isCounter: false, look: () => [[7]] })
  if (sdk.logger === undefined) throw new Error('no logger')
  const trace = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`
  otlpSink(sdk.logger)({ level: 'warn', event: 'fenced', text: 'slot 3: fenced', fields: { slot: 3 }, trace })
  await sdk.close()
  server.close()
  const resource = {
    'service.name': 'millrace-worker',
    'service.version': '1.2.3',
    'service.instance.id': 'w',
  }
  for (const body of bodies.values())
    for (const [key, value] of Object.entries(resource))
      expect(body).toContain(`{"key":"${key}","value":{"stringValue":"${value}"}}`)
  expect(bodies.get('/v1/traces')).toContain('"name":"a span"')
  expect(bodies.get('/v1/metrics')).toContain('"name":"a_gauge"')
  expect(bodies.get('/v1/logs')).toMatch(/"severityText":"warn".*slot 3: fenced.*"traceId":"(ab){16}"/)
  expect([...bodies.values()].join()).not.toMatch(/process\.(command|owner|executable)/)
})

test('a collector that is away is told of in one line; the end does not wait for it', async () => {
  process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = `http://${LOOPBACK}:1/v1/traces`
  process.env.OTEL_BSP_SCHEDULE_DELAY = '10'
  const told = Promise.withResolvers<string>()
  const sdk = await started(told.resolve)
  sdk.tracer.startSpan('a span').end()
  expect(await told.promise).toMatch(/^OpenTelemetry: [^\n]*ECONNREFUSED/)
  const asked = performance.now()
  await sdk.close()
  expect(performance.now() - asked).toBeLessThan(5000)
})

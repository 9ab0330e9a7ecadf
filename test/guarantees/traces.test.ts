/** Guarantee: what happens to a record, from its sending to its replay, is one trace. On a real Jaeger, through its API. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { parseTraceparent } from '../../cluster/trace.ts'
import { millrace } from '../cli/millrace.ts'
import { clean, TestCluster, until } from '../support/cluster.ts'
import { type Jaeger, startJaeger } from '../support/jaeger.ts'
import { type JaegerTrace, outline, spansOf } from '../support/jaeger-api.ts'
import { headerOf, readAll, unparked } from '../support/retries.ts'
import { useServices } from '../support/services.ts'

const thirdTime = fileURLToPath(new URL('fixtures/third-time.ts', import.meta.url))
const DEADLINE_MS = 60_000
const SECRET = 'nobody-may-read-this'

let jaeger: Jaeger
beforeAll(async () => {
  jaeger = await startJaeger()
})
afterAll(() => jaeger?.[Symbol.asyncDispose]())

const opened = async (pipeline: string, settings: object = {}): Promise<TestCluster> => {
  const { kafka, redis } = await useServices()
  const env = {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${jaeger.otlpUrl}/v1/traces`,
    OTEL_TRACES_SAMPLER: 'always_on',
    OTEL_BSP_SCHEDULE_DELAY: '200',
  }
  const cluster = await TestCluster.open({ kafka, redis, pipeline, partitions: 1, settings, env })
  await cluster.start(1)
  return cluster
}

const login = (more: object = {}) => ({
  ...{ user_id: SECRET, app_version: '2.3.0', device_type: 'iOS', ip: '10.1.2.3', locale: 'RI' },
  ...{ device_id: SECRET, timestamp: Math.floor(Date.now() / 1000) },
  ...more,
})

const send = async ({ env, names }: TestCluster, record: object): Promise<void> => {
  const stdin = `${JSON.stringify(record)}\n`
  const { code, stderr } = await millrace(['send', names.input, '-k', SECRET], { env, stdin })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

/** Of the one record that has that header in a topic. */
const traceIdIn = async (cluster: TestCluster, topic: string | undefined): Promise<string> => {
  await until(
    `a record in ${topic}`,
    DEADLINE_MS,
    async () => (await readAll(cluster, topic ?? '')).length > 0,
  )
  const [record] = await readAll(cluster, topic ?? '')
  const context = parseTraceparent((record && headerOf(record, HEADER.traceparent)) ?? '')
  expect(context).toMatchObject({ sampled: true })
  return context?.traceId ?? ''
}

const wholeTrace = (traceId: string, last: string): Promise<JaegerTrace> =>
  jaeger.awaitTrace(
    (trace) =>
      trace.traceId === traceId &&
      trace.roots.length === 1 &&
      spansOf(trace.roots).some(({ name }) => name === last),
    DEADLINE_MS,
  )

const STEPS = ['mailbox', 'pool', 'run', 'ready', 'commit', 'publish']
const steps = (depth: number): string[] => STEPS.map((step) => `${'  '.repeat(depth)}${step}`)
const shown = (trace: JaegerTrace, topic: string) =>
  outline(trace.roots).replaceAll(` ${topic}`, '').split('\n')
const ordered = (lines: readonly string[]) => lines.toSorted()

describe('the whole tree', () => {
  test('of a plain record: send, process, each step', { timeout: 180_000 }, async () => {
    await using cluster = await opened('user-login')
    await send(cluster, login())
    const trace = await wholeTrace(await traceIdIn(cluster, cluster.names.output), 'publish')
    expect(shown(trace, cluster.names.input)).toEqual(['send', '  process', ...steps(2)])
    const [sent, record] = spansOf(trace.roots)
    expect([sent?.kind, record?.kind]).toEqual(['producer', 'consumer'])
    expect([sent?.service, record?.service]).toEqual(['millrace-tool', 'millrace-worker'])
    expect(record?.tags).toMatchObject({
      'messaging.system.name': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.destination.name': cluster.names.input,
      'messaging.destination.partition.id': '0',
      'messaging.consumer.group.name': cluster.names.group,
      'kafka.offset': 0,
      'millrace.outcome': 'done',
    })
    expect(JSON.stringify(trace), 'nothing of the record').not.toMatch(/nobody-may|10\.1\.2/)
    expect(await cluster.audit()).toMatchObject(clean)
  })

  test('of a record retried twice, then done: park, attempts, settlement through the queue', {
    timeout: 180_000,
  }, async () => {
    await using cluster = await opened(thirdTime, { retryDelay: 100 })
    await send(cluster, login())
    await unparked(cluster, DEADLINE_MS)
    const trace = await wholeTrace(await traceIdIn(cluster, cluster.names.output), 'publish')
    const lines = shown(trace, cluster.names.input)
    expect(ordered(lines)).toEqual(
      ordered([
        ...['send', '  process', ...steps(2).filter((line) => !line.includes('publish'))],
        ...['    attempt', '    attempt', '      settle', ...steps(4)],
      ]),
    )
    const all = spansOf(trace.roots)
    const attempts = all.filter(({ name }) => name.startsWith('attempt '))
    expect(attempts.map(({ tags }) => [tags['millrace.attempt'], tags['millrace.outcome']])).toEqual([
      [2, 'retry'],
      [3, 'done'],
    ])
    expect(attempts[0]?.tags).toMatchObject({ error: true, 'error.type': 'lookup-down' })
    expect(await cluster.audit()).toMatchObject(clean)
  })

  test('of a dead letter that is repaired and replayed: the same trace goes on', {
    timeout: 180_000,
  }, async () => {
    await using cluster = await opened('login-production')
    const { device_type: _, ...incomplete } = login()
    await send(cluster, incomplete)
    const traceId = await traceIdIn(cluster, cluster.names.deadLetters)
    const args = ['dlq', 'repair', '--default', 'device_type=unknown', '--yes']
    expect(await millrace(args, { env: cluster.env })).toMatchObject({ code: 0 })
    expect(await traceIdIn(cluster, cluster.names.output)).toBe(traceId)
    const trace = await wholeTrace(traceId, `replay ${cluster.names.input}`)
    await jaeger.awaitTrace(
      (one) =>
        one.traceId === traceId && spansOf(one.roots).filter(({ name }) => name === 'commit').length === 2,
      DEADLINE_MS,
    )
    const path = spansOf(trace.roots).map(({ name }) => name.split(' ')[0])
    for (const name of ['send', 'process', 'repair', 'replay']) expect(path).toContain(name)
    const whole = await jaeger.trace(traceId)
    const lines = outline(whole?.roots ?? []).replaceAll(` ${cluster.names.input}`, '')
    expect(lines).toMatch(/^send\n {2}process\n[\s\S]*\n {4}repair\n {6}replay\n {8}process\n/)
    expect(await cluster.audit()).toMatchObject(clean)
  })
})

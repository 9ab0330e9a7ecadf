import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { describe, expect, test } from 'vitest'
import { EventBus } from '../../cluster/events.ts'
import { GivenIds } from '../../telemetry/ids.ts'
import { attributes } from '../../telemetry/spans.ts'
import { SpanMaker } from '../../telemetry/tracing.ts'
import { batch, OWN, PARENT, TRACE_ID, traced } from './batches.ts'

const spanIdOf = (traceparent: string) => traceparent.split('-')[2]

const world = () => {
  const ids = new GivenIds()
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  })
  const events = new EventBus()
  const tracer = provider.getTracer('test')
  const maker = new SpanMaker({ events, tracer, ids, topic: 'in', group: 'millrace.p' })
  const spans = () =>
    exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      kind: span.kind,
      traceId: span.spanContext().traceId,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId,
      attributes: span.attributes,
      links: span.links.map(({ context }) => context.spanId),
      error: span.status.code === SpanStatusCode.ERROR,
      ms: (span.duration[0] * 1e9 + span.duration[1]) / 1e6,
      from: span.startTime[0] * 1e3 + span.startTime[1] / 1e6,
    }))
  const named = (name: string) => spans().filter((span) => span.name === name)
  return { events, maker, spans, named }
}

describe('a committed batch with traced records', () => {
  test('a record has its span under the producer, with the steps it went through and their times', () => {
    const { events, spans } = world()
    events.emit('batchCommitted', batch({ traced: [traced(7)], records: 10 }))
    const [record] = spans().filter(({ id }) => id === spanIdOf(OWN))
    expect(record).toMatchObject({ name: 'process in', kind: SpanKind.CONSUMER, traceId: TRACE_ID })
    expect(record?.parent).toBe(spanIdOf(PARENT))
    expect(record?.ms).toBeCloseTo(100, 0)
    const steps = spans().filter(({ parent }) => parent === record?.id)
    expect(steps.map(({ name }) => name)).toEqual(['mailbox', 'pool', 'run', 'ready', 'commit'])
    const rounded = steps.map(({ ms }) => Math.round(ms))
    expect(rounded).toEqual([10, 20, 1, 10, 10])
    expect(Math.abs((record?.from ?? 0) - (Date.now() - 100)), 'in real time').toBeLessThan(2000)
  })

  test('the batch has a trace of its own; both are linked, and what was left out is counted', () => {
    const { events, named } = world()
    events.emit('batchCommitted', batch({ traced: [traced(7)], untraced: 5 }))
    const [own, record] = named('process in')
    expect(own?.traceId).not.toBe(TRACE_ID)
    expect(own?.parent).toBeUndefined()
    expect(own?.links).toEqual([record?.id])
    expect(record?.links).toEqual([own?.id])
    expect(own?.attributes).toMatchObject({
      'messaging.batch.message_count': 10,
      'millrace.records.untraced': 5,
    })
  })

  test('a batch without traced records makes no span', () => {
    const { events, spans } = world()
    events.emit('batchCommitted', batch({ untraced: 3 }))
    expect(spans()).toEqual([])
  })

  test('names follow the semantic conventions, and nothing else is told', () => {
    const { events, named, spans } = world()
    events.emit('batchCommitted', batch({ traced: [traced(7, 'retry', 'lookup-down')] }))
    expect(named('process in')[1]?.attributes).toEqual({
      'messaging.system.name': 'kafka',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'in',
      'messaging.destination.partition.id': '1',
      'messaging.consumer.group.name': 'millrace.p',
      'kafka.offset': 7,
      'millrace.slot': 1,
      'millrace.outcome': 'retry',
      'error.type': 'lookup-down',
    })
    expect(named('process in')[1]?.error).toBe(true)
    const declared = Object.values(attributes).map(({ key }) => key as string)
    const used = spans().flatMap((span) => Object.keys(span.attributes))
    expect(used.filter((key) => !declared.includes(key))).toEqual([])
  })
})

describe('publishing', () => {
  const published = (events: EventBus, slot: number, ms: number) =>
    events.emit('viewsPublished', { slot, windows: 1, ms })

  test('a batch that changed windows waits for the publication that holds it', () => {
    const { events, spans, named } = world()
    events.emit('batchCommitted', batch({ traced: [traced(7)], windows: 2 }))
    published(events, 2, 0)
    expect(spans(), 'of another slot').toEqual([])
    published(events, 1, 60_000)
    expect(spans(), 'it began before the commit').toEqual([])
    published(events, 1, 0)
    expect(named('publish')).toHaveLength(1)
    expect(named('process in')).toHaveLength(2)
    published(events, 1, 0)
    expect(named('process in'), 'once').toHaveLength(2)
  })

  test('without a publication it is told at the end all the same', () => {
    const { events, maker, named } = world()
    events.emit('batchCommitted', batch({ traced: [traced(7)], windows: 2 }))
    maker.close()
    expect(named('process in')).toHaveLength(2)
    expect(named('publish')).toEqual([])
  })
})

describe('one trace from cause to effect', () => {
  const context = (n: number) => `00-${TRACE_ID}-${String(n).padStart(16, '0')}-01`

  test('send, process, attempts, settle, repair, replay hang one under the other', () => {
    const { events, spans } = world()
    const times = { begun: performance.now() - 5, ended: performance.now() }
    const place = { slot: 1, partition: 1, offset: 7 }
    events.emit('recordSent', { own: context(1), ...times })
    const parked = { ...traced(7, 'retry', 'x'), parent: context(1), own: context(2) }
    events.emit('batchCommitted', batch({ traced: [parked] }))
    for (const attempt of [2, 3]) {
      const own = context(attempt + 1)
      events.emit('retryRun', {
        ...place,
        attempt,
        outcome: 'dead',
        code: 'x',
        parent: context(2),
        own,
        ...times,
      })
    }
    const settled = { ...traced(7, 'dead', 'x'), parent: context(4), own: context(5) }
    events.emit('batchCommitted', batch({ run: 'later', traced: [settled] }))
    const trace = { parent: context(5), repair: context(6), own: context(7) }
    events.emit('letterSent', { topic: 'dlq', partition: 1, offset: 3, by: 'set a=1', trace, ...times })
    const tree = spans()
      .filter(({ traceId, name }) => traceId === TRACE_ID && name.includes(' '))
      .map(({ name, id, parent }) => `${Number(parent ?? 0)} > ${Number(id)} ${name}`)
    expect(tree.toSorted()).toEqual([
      '0 > 1 send in',
      '1 > 2 process in',
      '2 > 3 attempt in',
      '2 > 4 attempt in',
      '4 > 5 settle in',
      '5 > 6 repair in',
      '6 > 7 replay in',
    ])
  })

  test('what is not sampled has no spans', () => {
    const { events, spans } = world()
    const times = { begun: 0, ended: 1 }
    const unsampled = OWN.replace(/01$/, '00')
    events.emit('letterSent', {
      ...{ topic: 'dlq', partition: 0, offset: 0, ...times },
      trace: { parent: unsampled, own: unsampled },
    })
    events.emit('retryRun', { slot: 0, partition: 0, offset: 0, attempt: 2, outcome: 'done', ...times })
    expect(spans()).toEqual([])
  })
})

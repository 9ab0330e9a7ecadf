/** Made-up traces of a record, as processes send them. */
import type { Attributes, ReceivedSpan, ReceivedTrace } from '../../cli/traces/spans.ts'

const START = 1_795_802_400_000
const STAGES = ['mailbox', 'pool', 'run', 'ready', 'commit', 'publish']

interface Given {
  readonly id: string
  readonly parent?: string
  readonly name: string
  readonly at: number
  readonly took: number
  readonly service?: string
  readonly worker?: string
  readonly attributes?: Attributes
  readonly failed?: boolean
}

const toMicro = (ms: number): number => Math.round(ms * 1000) / 1000

/** Times in milliseconds from the trace's start. */
export const spanOf = (traceId: string, given: Given): ReceivedSpan => ({
  traceId,
  spanId: given.id.padStart(16, '0'),
  ...(given.parent !== undefined && { parentId: given.parent.padStart(16, '0') }),
  name: given.name,
  service: given.service ?? 'millrace-worker',
  ...(given.worker !== undefined && { worker: given.worker }),
  startMs: toMicro(START + given.at),
  endMs: toMicro(START + given.at + given.took),
  attributes: given.attributes ?? {},
  failed: given.failed ?? false,
})

const record: Attributes = {
  'messaging.system.name': 'kafka',
  'messaging.destination.name': 'logins',
  'messaging.destination.partition.id': '3',
  'kafka.offset': 1042,
}

const withStages = (traceId: string, given: Given, stages: readonly number[]): readonly ReceivedSpan[] => {
  let at = given.at
  return [
    spanOf(traceId, given),
    ...stages.map((took, index) => {
      const { worker } = given
      const id = `${given.id}${index + 1}`
      const span = { id, parent: given.id, name: STAGES[index] ?? '', at, took, ...(worker && { worker }) }
      at += took
      return spanOf(traceId, span)
    }),
  ]
}

const sent = (traceId: string): ReceivedSpan =>
  spanOf(traceId, { id: 'a', name: 'send logins', at: 0, took: 1.84, service: 'millrace-demo' })

const one = 'host-1-00003f2a'
const two = 'host-1-0000b71c'

export const plain = (traceId = '1'.repeat(32)): ReceivedTrace => {
  const attributes = { ...record, 'millrace.outcome': 'done' }
  const process = {
    id: 'b',
    parent: 'a',
    name: 'process logins',
    at: 2.6,
    took: 37.4,
    worker: one,
    attributes,
  }
  return {
    traceId,
    spans: [sent(traceId), ...withStages(traceId, process, [3.1, 0.2, 5.7, 11.3, 14.2, 2.9])],
  }
}

/** Parked, run again after 1 s in vain, and after 2 s more done, by another worker. */
export const retriedTwice = (traceId = '2'.repeat(32)): ReceivedTrace => {
  const parked = { 'millrace.outcome': 'retry', 'error.type': 'lookup-timeout' }
  const process = { id: 'b', parent: 'a', name: 'process logins', at: 2.6, took: 67, worker: one }
  const settle = { id: 'e', parent: 'd', name: 'settle logins', at: 3131, took: 24, worker: two }
  const attempt = (run: number) => ({ name: 'attempt logins', parent: 'b', worker: two, run })
  return {
    traceId,
    spans: [
      sent(traceId),
      ...withStages(
        traceId,
        { ...process, failed: true, attributes: { ...record, ...parked } },
        [3.1, 0.2, 35.7, 11.3, 14.2, 2.5],
      ),
      spanOf(traceId, {
        id: 'c',
        ...attempt(2),
        at: 1082,
        took: 31.2,
        failed: true,
        attributes: { ...parked, 'millrace.attempt': 2 },
      }),
      spanOf(traceId, {
        id: 'd',
        ...attempt(3),
        at: 3119,
        took: 4.4,
        attributes: { 'millrace.outcome': 'done', 'millrace.attempt': 3 },
      }),
      ...withStages(
        traceId,
        { ...settle, attributes: { ...record, 'millrace.outcome': 'done' } },
        [2.1, 0.1, 0.4, 6.2, 13.1, 2.1],
      ),
    ],
  }
}

/** So many further runs, each a second after the other; the last is done. */
export const retriedOften = (runs: number, traceId = '4'.repeat(32)): ReceivedTrace => {
  const attempts = Array.from({ length: runs }, (_, index) => ({
    id: `c${index}`,
    parent: 'b',
    name: 'attempt logins',
    at: 1000 * (index + 1),
    took: 5,
    attributes: { 'millrace.outcome': 'retry', 'millrace.attempt': index + 2 },
  }))
  const last = attempts.at(-1)
  const process = { id: 'b', parent: 'a', name: 'process logins', at: 2, took: 60, attributes: record }
  const settle = { id: 'e', parent: last?.id ?? 'b', name: 'settle logins', at: 1000 * runs + 10, took: 24 }
  return {
    traceId,
    spans: [
      sent(traceId),
      ...withStages(traceId, process, [3, 1, 30, 11, 14, 1]),
      ...attempts.map((one) => spanOf(traceId, one)),
      ...withStages(traceId, settle, [2, 1, 1, 6, 12, 2]),
    ],
  }
}

const asValue = (value: string | number | boolean) => {
  if (typeof value === 'number') return { intValue: value }
  return typeof value === 'boolean' ? { boolValue: value } : { stringValue: value }
}

const asAttributes = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: asValue(value) }))

const nanos = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n)
const ERROR = 2

/** Spans as a body of OTLP in JSON. */
export const otlpOf = (spans: readonly ReceivedSpan[]): object => ({
  resourceSpans: spans.map(({ service, worker, ...span }) => ({
    resource: {
      attributes: asAttributes({ 'service.name': service, ...(worker && { 'millrace.worker': worker }) }),
    },
    scopeSpans: [
      {
        scope: { name: 'test' },
        spans: [
          {
            traceId: span.traceId,
            spanId: span.spanId,
            ...(span.parentId && { parentSpanId: span.parentId }),
            name: span.name,
            kind: 1,
            startTimeUnixNano: nanos(span.startMs),
            endTimeUnixNano: nanos(span.endMs),
            attributes: asAttributes(span.attributes),
            status: span.failed ? { code: ERROR } : {},
          },
        ],
      },
    ],
  })),
})

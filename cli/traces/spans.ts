/**
 * Spans as a process sends them: OTLP in JSON. Ids are hex digits (of any case), 64-bit numbers decimal texts or numbers, kinds and
 * status codes numbers; what is unknown is left out. Pure.
 */
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/compile'

export interface ReceivedSpan {
  /** 32 lower-case hex digits. */
  readonly traceId: string
  /** 16 of them. */
  readonly spanId: string
  /** Absent in a root. */
  readonly parentId?: string
  readonly name: string
  /** `service.name` of the process that sent it. */
  readonly service: string
  /** `millrace.worker` of that process. */
  readonly worker?: string
  /** Milliseconds since 1970, to the microsecond. */
  readonly startMs: number
  /** Not before its start, whatever became of the clock. */
  readonly endMs: number
  readonly attributes: Attributes
  /** Its status is an error. */
  readonly failed: boolean
}

export interface ReceivedTrace {
  readonly traceId: string
  /** In no order. */
  readonly spans: readonly ReceivedSpan[]
}

export type Attributes = Readonly<Record<string, string | number | boolean>>

const Int64 = Type.Union([Type.Number(), Type.String({ pattern: '^-?[0-9]{1,20}$' })])
const Double = Type.Union([Type.Number(), Type.String()])
const Attribute = Type.Object({
  key: Type.String(),
  value: Type.Optional(
    Type.Object({
      stringValue: Type.Optional(Type.String()),
      boolValue: Type.Optional(Type.Boolean()),
      intValue: Type.Optional(Int64),
      doubleValue: Type.Optional(Double),
    }),
  ),
})
const AttributeList = Type.Optional(Type.Array(Attribute))

const Span = Type.Object({
  traceId: Type.String({ pattern: '^[0-9a-fA-F]{32}$' }),
  spanId: Type.String({ pattern: '^[0-9a-fA-F]{16}$' }),
  parentSpanId: Type.Optional(Type.String({ pattern: '^([0-9a-fA-F]{16})?$' })),
  name: Type.Optional(Type.String()),
  startTimeUnixNano: Int64,
  endTimeUnixNano: Int64,
  attributes: AttributeList,
  status: Type.Optional(Type.Object({ code: Type.Optional(Type.Number()) })),
})

const Request = Type.Object({
  resourceSpans: Type.Optional(
    Type.Array(
      Type.Object({
        resource: Type.Optional(Type.Object({ attributes: AttributeList })),
        scopeSpans: Type.Optional(Type.Array(Type.Object({ spans: Type.Optional(Type.Array(Span)) }))),
      }),
    ),
  ),
})

const request = Compile(Request)
const ERROR = 2

/** Undefined where the body is no such request. */
export const spansOfRequest = (body: unknown): readonly ReceivedSpan[] | undefined => {
  if (!request.Check(body)) return undefined
  return (body.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) => {
    const from = attributesOf(resource?.attributes)
    return scopeSpans.flatMap(({ spans = [] }) => spans.map((span) => received(span, from)))
  })
}

const received = (span: Static<typeof Span>, from: Attributes): ReceivedSpan => {
  const worker = from['millrace.worker']
  const startMs = millisOf(span.startTimeUnixNano)
  return {
    traceId: span.traceId.toLowerCase(),
    spanId: span.spanId.toLowerCase(),
    ...(span.parentSpanId && { parentId: span.parentSpanId.toLowerCase() }),
    name: span.name ?? '',
    service: String(from['service.name'] ?? ''),
    ...(worker !== undefined && { worker: String(worker) }),
    startMs,
    endMs: Math.max(startMs, millisOf(span.endTimeUnixNano)),
    attributes: attributesOf(span.attributes),
    failed: span.status?.code === ERROR,
  }
}

/** To the microsecond: beyond it a number of this size has no digits to give. */
const millisOf = (nanos: string | number): number => Math.round(Number(nanos) / 1000) / 1000

const attributesOf = (list: Static<typeof AttributeList> = []): Attributes =>
  Object.fromEntries(
    list.flatMap(({ key, value }) => {
      const plain = value && plainOf(value)
      return plain === undefined ? [] : [[key, plain]]
    }),
  )

/** Lists and maps are of no use here. */
const plainOf = (value: NonNullable<Static<typeof Attribute>['value']>) => {
  const { stringValue, boolValue, intValue, doubleValue } = value
  const number = intValue ?? doubleValue
  return stringValue ?? boolValue ?? (number === undefined ? undefined : Number(number))
}

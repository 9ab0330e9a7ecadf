/**
 * Trace contexts as they travel in the header `traceparent` (W3C Trace Context, version 00). Pure but for the ids.
 *
 * Laws: what is not exactly such a header is none, whoever wrote it; a child keeps trace and flag; nothing but ids and the flag
 * is ever taken over (no tracestate, no baggage). Spans are made later, elsewhere, with the ids that were drawn here.
 */
import { getRandomValues } from 'node:crypto'

export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string
  /** 16 of them. */
  readonly spanId: string
  readonly sampled: boolean
}

const FORM = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/
const SAMPLED = 0x01

/** Undefined where the text is no context. */
export const parseTraceparent = (text: string): TraceContext | undefined => {
  const [, traceId, spanId, flags] = FORM.exec(text) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}

export const formatTraceparent = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

const POOL_BYTES = 4096
const pool = new Uint8Array(POOL_BYTES)
let used = POOL_BYTES

/** Hex of so many random bytes, never all zero. The generator is asked for many at a time: once a record would cost. */
const id = (bytes: number): string => {
  if (used + bytes > POOL_BYTES) {
    getRandomValues(pool)
    used = 0
  }
  const hex = Buffer.from(pool.buffer, used, bytes).toString('hex')
  used += bytes
  return /^0+$/.test(hex) ? id(bytes) : hex
}

export const rootContext = (sampled: boolean): TraceContext => ({ traceId: id(16), spanId: id(8), sampled })

export const childOf = ({ traceId, sampled }: TraceContext): TraceContext => ({
  traceId,
  spanId: id(8),
  sampled,
})

/** A record with a span of its own. */
export interface TracedRecord {
  readonly offset: number
  /** `traceparent` of the cause; absent where the trace begins here. */
  readonly parent?: string
  /** Of the record's span. */
  readonly own: string
  /** ms since the task began to run. */
  readonly from: number
  readonly to: number
  readonly outcome: 'done' | 'dead' | 'drop' | 'retry'
  /** Of whatever is not done. */
  readonly code?: string
}

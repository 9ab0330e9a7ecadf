/**
 * Events to spans. Whether a record is traced was decided where it ran, and its ids were drawn there (workers/tracing.ts): here
 * its spans are made, all at once, when it is committed and its aggregates are published.
 *
 *   send                             the producer's
 *     process                        of one record
 *       mailbox pool run ready commit publish
 *       attempt 2
 *       attempt 3
 *         settle                     output or dead letter
 *           mailbox pool run ready commit publish
 *           repair
 *             replay
 *               process ...
 */
import {
  type Attributes,
  type Context,
  context as contexts,
  type Link,
  type Span,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { BatchCommitted, Events, LetterSent, Listened, RetryRun } from '../cluster/events.ts'
import { parseTraceparent, rootContext, type TraceContext, type TracedRecord } from '../cluster/trace.ts'
import type { GivenIds } from './ids.ts'
import { type AttributeName, attributes, type SpanName, spans } from './spans.ts'

export interface TracingOptions {
  readonly events: Listened
  readonly tracer: Tracer
  readonly ids: GivenIds
  /** Of the input. */
  readonly topic: string
  /** Mirrored consumer group; absent where nothing is consumed. */
  readonly group?: string
}

/** A batch whose aggregates are not published by then is told without it. */
const PUBLISH_PATIENCE_MS = 5000
/** Batches that wait for that; beyond it the oldest is told. */
const MOST_WAITING = 1000

interface Waiting {
  readonly batch: BatchCommitted
  readonly since: number
}

type Told = Partial<Readonly<Record<AttributeName, string | number>>>

interface SpanOf {
  readonly name: SpanName
  readonly own: TraceContext
  readonly parent?: TraceContext | undefined
  /** performance.now() */
  readonly from: number
  readonly to: number
  readonly told?: Told
  readonly links?: Link[]
}

const remote = ({ traceId, spanId }: TraceContext): Context =>
  trace.setSpanContext(contexts.active(), {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  })

const linkTo = ({ traceId, spanId }: TraceContext): Link => ({
  context: { traceId, spanId, traceFlags: TraceFlags.SAMPLED },
})

/** Of performance.now() in epoch ms. Moved only where the clocks have drifted apart: spans of one trace must not shift. */
let origin = performance.timeOrigin
const MOST_DRIFT_MS = 5

const setClock = (): void => {
  const drift = Date.now() - (origin + performance.now())
  if (Math.abs(drift) > MOST_DRIFT_MS) origin += drift
}

const wall = (at: number): number => origin + at

export class SpanMaker {
  readonly #options: TracingOptions
  #waiting: Waiting[] = []

  constructor(options: TracingOptions) {
    this.#options = options
    const { events } = options
    events.on('batchCommitted', (batch) => this.#committed(batch))
    events.on('viewsPublished', (published) => this.#published(published))
    events.on('retryRun', (run) => this.#attempt(run))
    events.on('letterSent', (letter) => this.#replay(letter))
    events.on('recordSent', ({ own, begun, ended }) => this.#sent(own, begun, ended))
  }

  /** Tells what still waits. */
  close(): void {
    for (const { batch } of this.#waiting.splice(0)) this.#tell(batch, undefined)
  }

  #committed(batch: BatchCommitted): void {
    const now = performance.now()
    this.#giveUp(now)
    if (batch.traced.length === 0) return
    if (batch.windows === 0) this.#tell(batch, undefined)
    else this.#waiting.push({ batch, since: now })
  }

  #giveUp(now: number): void {
    const late = this.#waiting.findIndex(({ since }) => now - since < PUBLISH_PATIENCE_MS)
    const expired = late < 0 ? this.#waiting.length : late
    const most = Math.max(expired, this.#waiting.length - MOST_WAITING)
    for (const { batch } of this.#waiting.splice(0, most)) this.#tell(batch, undefined)
  }

  /** A publication holds what was committed before it began. */
  #published({ slot, ms }: Events['viewsPublished']): void {
    const ended = performance.now()
    const covers = ({ batch }: Waiting) => batch.slot === slot && batch.committed <= ended - ms
    const told = this.#waiting.filter(covers)
    if (told.length === 0) return
    this.#waiting = this.#waiting.filter((one) => !covers(one))
    for (const { batch } of told) this.#tell(batch, ended)
  }

  /** @param published performance.now(); undefined where there was nothing to publish, or nobody knows */
  #tell(batch: BatchCommitted, published: number | undefined): void {
    setClock()
    const { slot, partition, from, records, untraced } = batch
    const own = rootContext(true)
    const links = batch.traced.flatMap((record) => {
      const context = parseTraceparent(record.own)
      return context === undefined ? [] : [linkTo(context)]
    })
    const to = published ?? batch.committed
    const told = { slot, partition, offset: from, records, ...(untraced > 0 && { untraced }) }
    this.#make({
      name: batch.run === 'first' ? 'process' : 'settle',
      own,
      from: batch.taken,
      to,
      told,
      links,
    })
    for (const record of batch.traced) this.#record(batch, record, { published, batch: own })
  }

  #record(
    batch: BatchCommitted,
    record: TracedRecord,
    { published, batch: batchSpan }: { readonly published: number | undefined; readonly batch: TraceContext },
  ): void {
    const own = parseTraceparent(record.own)
    if (own === undefined) return
    const parent = parseTraceparent(record.parent ?? '')
    const { slot, partition, taken } = batch
    const { offset, outcome, code } = record
    const told = { slot, partition, offset, outcome, ...(code !== undefined && { errorType: code }) }
    const name = batch.run === 'first' ? 'process' : 'settle'
    const to = published ?? batch.committed
    const span = this.#make({ name, own, parent, from: taken, to, told, links: [linkTo(batchSpan)] })
    const begun = batch.finished - batch.runMs
    this.#steps(span, [
      ['mailbox', taken, batch.handed],
      ['pool', batch.handed, begun],
      ['run', begun + record.from, begun + record.to],
      ['ready', batch.finished, batch.commitBegun],
      ['commit', batch.commitBegun, batch.committed],
      ...(published === undefined ? [] : [['publish', batch.committed, published] as const]),
    ])
  }

  #steps(parent: Span, steps: readonly (readonly [name: SpanName, from: number, to: number])[]): void {
    const within = trace.setSpan(contexts.active(), parent)
    for (const [name, from, to] of steps) {
      const { kind } = spans[name]
      this.#options.tracer
        .startSpan(name, { kind, startTime: wall(from) }, within)
        .end(wall(Math.max(from, to)))
    }
  }

  #attempt({
    own: text,
    parent,
    slot,
    partition,
    offset,
    attempt,
    outcome,
    code,
    begun,
    ended,
  }: RetryRun): void {
    const own = parseTraceparent(text ?? '')
    if (own === undefined) return
    const told = { slot, partition, offset, attempt, outcome, ...(code !== undefined && { errorType: code }) }
    this.#make({ name: 'attempt', own, parent: parseTraceparent(parent ?? ''), from: begun, to: ended, told })
  }

  #sent(text: string, from: number, to: number): void {
    const own = parseTraceparent(text)
    if (own !== undefined) this.#make({ name: 'send', own, from, to })
  }

  #replay({ trace: { parent, repair, own }, by, partition, offset, begun, ended }: LetterSent): void {
    const [letter, mended, sent] = [parent, repair ?? '', own].map(parseTraceparent)
    if (sent?.sampled !== true) return
    const times = { from: begun, to: ended }
    if (mended !== undefined)
      this.#make({ name: 'repair', own: mended, parent: letter, ...times, told: { repairedBy: by ?? '' } })
    this.#make({ name: 'replay', own: sent, parent: mended ?? letter, ...times, told: { partition, offset } })
  }

  #make({ name, own, parent, from, to, told = {}, links = [] }: SpanOf): Span {
    const { tracer, ids, topic, group } = this.#options
    const { kind } = spans[name]
    const options = {
      kind,
      startTime: wall(from),
      links,
      attributes: attributesOf(name, topic, { ...told, ...(group && { group }) }),
    }
    const within = parent === undefined ? contexts.active() : remote(parent)
    const root = parent === undefined
    const span = ids.as(own, () => tracer.startSpan(`${name} ${topic}`, { ...options, root }, within))
    if (told.errorType !== undefined)
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(told.errorType) })
    span.end(wall(to))
    return span
  }
}

const attributesOf = (name: SpanName, topic: string, told: Told): Attributes => {
  const definition = spans[name]
  const operationType = 'operationType' in definition ? definition.operationType : undefined
  const all: Told = {
    system: 'kafka',
    operation: name,
    topic,
    ...(operationType && { operationType }),
    ...told,
  }
  return Object.fromEntries(
    Object.entries(all).map(([key, value]) => [
      attributes[key as AttributeName].key,
      // The conventions make a partition a text.
      key === 'partition' ? String(value) : value,
    ]),
  )
}

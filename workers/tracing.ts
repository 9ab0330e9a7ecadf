/**
 * Which records of a task are traced, decided in the thread that runs them; the spans are made elsewhere, from what is noted here.
 *
 * Laws: a record follows the decision of the trace it came with; one that came without is sampled by chance; a failure begins a
 * trace where there is none. At most `most` records of a task have spans of their own, plain ones at most half of them: the
 * rest hands its context on as it came and is counted. Nothing of a record but ids, offset, outcome and code is noted.
 */
import { CodecError } from '../cluster/kafka/codec/error.ts'
import { findHeader } from '../cluster/kafka/codec/find-header.ts'
import { HEADER } from '../cluster/protocol/headers.ts'
import {
  childOf,
  formatTraceparent,
  parseTraceparent,
  rootContext,
  type TraceContext,
  type TracedRecord,
} from '../cluster/trace.ts'
import type { RecordInput } from './record-input.ts'

/** Fixed for the life of a pool. */
export interface Sampling {
  /** Share of the records without a trace that begin one, 0 to 1. */
  readonly ratio: number
}

interface Begun {
  readonly parent: TraceContext | undefined
  readonly own: TraceContext
  readonly from: number
}

/** What a record hands on, and its span, where it has one. */
export interface RecordTrace {
  /** `traceparent` of what comes of the record. */
  readonly out: string
  readonly begun?: Begun
}

const NAME = Buffer.from(HEADER.traceparent)

/** How many records without a trace pass before the next one is sampled: drawn once a sample, not once a record. By ratio. */
const countdowns = new Map<number, { left: number }>()

const countdownOf = (ratio: number): { left: number } => {
  const countdown = countdowns.get(ratio) ?? { left: drawn(ratio) }
  countdowns.set(ratio, countdown)
  return countdown
}

const drawn = (ratio: number): number => Math.floor(Math.log1p(-Math.random()) / Math.log1p(-ratio))

export class Tracing {
  readonly #sampling: Sampling | undefined
  readonly #most: number
  readonly #started: number
  /** Absent where no record begins a trace by chance. */
  readonly #countdown: { left: number } | undefined
  readonly #traced: TracedRecord[] = []
  /** Spans that were promised: records under way included. */
  #taken = 0
  #leftOut = 0
  /** ms since the start, when the last record that was looked at began or ended. */
  #seen = 0

  /** @param sampling absent: contexts are handed on, nothing else; @param most spans of this task */
  constructor(sampling: Sampling | undefined, most: number) {
    this.#sampling = sampling
    this.#most = sampling === undefined ? 0 : most
    this.#started = performance.now()
    this.#countdown = this.#samples ? countdownOf(sampling?.ratio ?? 0) : undefined
  }

  get #samples(): boolean {
    return (this.#sampling?.ratio ?? 0) > 0
  }
  get #now(): number {
    return performance.now() - this.#started
  }
  get traced(): readonly TracedRecord[] {
    return this.#traced
  }
  /** Sampled records that had no room for spans when they began. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** Before the record runs. @param cause `traceparent` in place of the record's own: that of its last run */
  begin(input: RecordInput, cause?: string): RecordTrace | undefined {
    const text = cause ?? (input.headerCount === 0 ? undefined : headerOf(input))
    const parent = text === undefined ? undefined : parseTraceparent(text)
    if (parent === undefined) return this.#isDrawn() ? this.#trace(undefined) : undefined
    return parent.sampled ? this.#trace(parent) : { out: formatTraceparent(parent) }
  }

  /** What failed always has a context: whoever mends it later can go on with it. */
  failed(trace: RecordTrace | undefined): RecordTrace {
    const parent = trace && parseTraceparent(trace.out)
    const isOpen = trace?.begun === undefined && (parent?.sampled ?? this.#samples)
    if (isOpen && this.#taken < this.#most) {
      if (parent !== undefined) this.#leftOut--
      return this.#begun(parent, this.#seen)
    }
    return trace ?? { out: formatTraceparent(rootContext(false)) }
  }

  settled(
    offset: number,
    { begun }: RecordTrace,
    outcome: { readonly outcome: TracedRecord['outcome']; readonly code?: string },
  ): void {
    if (begun === undefined) return
    const { parent, own, from } = begun
    this.#seen = this.#now
    this.#traced.push({
      offset,
      ...(parent && { parent: formatTraceparent(parent) }),
      own: formatTraceparent(own),
      from,
      to: this.#now,
      outcome: outcome.outcome,
      ...(outcome.outcome !== 'done' && outcome.code !== undefined && { code: outcome.code }),
    })
  }

  #isDrawn(): boolean {
    const countdown = this.#countdown
    if (countdown === undefined || countdown.left-- > 0) return false
    countdown.left = drawn(this.#sampling?.ratio ?? 0)
    return true
  }

  #trace(parent: TraceContext | undefined): RecordTrace | undefined {
    if (this.#taken < this.#most / 2) return this.#begun(parent)
    if (this.#sampling !== undefined) this.#leftOut++
    return parent && { out: formatTraceparent(parent) }
  }

  /** @param from when it began; of one that was not looked at before it failed, when it can have begun at the earliest */
  #begun(parent: TraceContext | undefined, from = this.#now): RecordTrace {
    this.#taken++
    this.#seen = from
    const own = parent === undefined ? rootContext(true) : childOf(parent)
    return { out: formatTraceparent(own), begun: { parent, own, from } }
  }
}

/** Headers that contradict themselves name no trace. */
const headerOf = (input: RecordInput): string | undefined => {
  try {
    return findHeader(input, NAME)?.toString('latin1')
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

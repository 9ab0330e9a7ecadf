/**
 * Where a pipeline writes no outputs, there is nothing to recount its aggregates from but the input: the done records run
 * through the pipeline once more. So its `process` must be deterministic; a record that does not come out as done again is
 * named. `ctx.now` is the record's timestamp then: the time of processing is not known any more.
 */
import { type RecordCursor, readHeaders } from '../cluster/kafka/codec/decode.ts'
import { scan } from '../cluster/kafka/scan.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { Input, RecordHeaders } from '../pipelines/api/define.ts'
import type { Prepared, Result } from '../pipelines/api/execute.ts'
import type { DoneNote } from './done-notes.ts'
import type { FateBook } from './fate-book.ts'
import type { RerunMismatch } from './mismatch.ts'
import type { Recount } from './recount.ts'
import type { ScanTally } from './visits.ts'

export interface RerunContext {
  readonly topology: Topology
  readonly topic: string
  readonly ends: ReadonlyMap<number, number>
  readonly tally: ScanTally
  readonly prepared: Prepared
  readonly recount: Recount
  readonly signal: AbortSignal | undefined
  readonly progress: ((done: number, total: number) => void) | undefined
}

export interface Rerun {
  /** Input partition -> done records that were run again. */
  readonly counts: ReadonlyMap<number, number>
  readonly mismatches: readonly RerunMismatch[]
}

/** Asynchronous steps under way at once, as the default of MILLRACE_CONCURRENCY. */
const AT_ONCE = 16

export const rerunDone = async (context: RerunContext): Promise<Rerun> => {
  const { tally, ends, progress, signal } = context
  const ranges = [...tally.books].map(([partition, book]) => {
    const { from, to } = book.range
    return { partition, book, from, to: Math.min(to, ends.get(partition) ?? to) }
  })
  const total = ranges.reduce((sum, { from, to }) => sum + Math.max(0, to - from), 0)
  const counts = new Map<number, number>()
  const mismatches: RerunMismatch[] = []
  let before = 0
  for (const { partition, book, from, to } of ranges) {
    const again = new Again(context, partition, book)
    for (let next = from; next < to && signal?.aborted !== true; ) {
      next = await again.fetch(next, to)
      await again.run(mismatches)
      progress?.(before + Math.min(next, to) - from, total)
    }
    before += Math.max(0, to - from)
    counts.set(partition, again.count)
  }
  return { counts, mismatches }
}

/** One partition: what one fetch brought is run before the next, so that memory stays bounded. */
class Again {
  count = 0
  readonly #context: RerunContext
  readonly #partition: number
  readonly #book: FateBook
  readonly #noteOf: (offset: number) => DoneNote
  readonly #signal: AbortSignal
  #fetched: DoneInput[] = []

  constructor(context: RerunContext, partition: number, book: FateBook) {
    this.#context = context
    this.#partition = partition
    this.#book = book
    this.#noteOf = context.tally.doneNotes.walk(partition)
    this.#signal = context.signal ?? new AbortController().signal
  }

  /** Returns where the next one begins. */
  async fetch(from: number, to: number): Promise<number> {
    const { topology, topic } = this.#context
    const fetched = new AbortController()
    this.#fetched = []
    const visit = (record: RecordCursor) => {
      fetched.abort()
      if (!this.#book.has(record.offset, 'output')) return
      const origin = { topic, partition: this.#partition, offset: record.offset }
      this.#fetched.push(new DoneInput(record, origin, this.#noteOf(record.offset), this.#signal))
    }
    const range = { topic, partition: this.#partition, from, to }
    const signal = AbortSignal.any([fetched.signal, this.#signal])
    // What nobody can read is missing from the count: the recount is not provable then.
    return await scan(topology, range, visit, { signal, unreadable: () => fetched.abort() })
  }

  async run(mismatches: RerunMismatch[]): Promise<void> {
    for (let at = 0; at < this.#fetched.length; at += AT_ONCE) {
      const inputs = this.#fetched.slice(at, at + AT_ONCE)
      const results = await Promise.all(inputs.map((input) => input.runBy(this.#context.prepared)))
      for (const [i, input] of inputs.entries()) this.#settle(input, results[i], mismatches)
    }
  }

  #settle(input: DoneInput, result: Result | undefined, mismatches: RerunMismatch[]): void {
    if (result === undefined) return
    const { partition, offset } = input.origin
    this.count++
    if (result.outcome === 'done') {
      const { late, attempts } = input.note
      this.#context.recount.done(result.value, input.timestamp, {
        partition,
        offset,
        late,
        retried: attempts > 1,
      })
    } else {
      const found = `${result.outcome} ${result.code}`
      mismatches.push({ where: 'recount', partition, offset, expected: 'done', found })
    }
  }
}

/** A snapshot of positions: it stays right when the cursor has moved on. */
class DoneInput implements Input {
  readonly bytes: Buffer
  readonly timestamp: number
  readonly now: number
  readonly attempt: number
  readonly origin: Input['origin']
  readonly note: DoneNote
  readonly signal: AbortSignal
  readonly headerCount: number
  readonly headersStart: number
  readonly headersEnd: number
  readonly #key: readonly [start: number, end: number]
  readonly #value: readonly [start: number, end: number]

  constructor(cursor: RecordCursor, origin: Input['origin'], note: DoneNote, signal: AbortSignal) {
    this.bytes = cursor.bytes
    this.timestamp = cursor.timestamp
    this.now = cursor.timestamp
    this.attempt = note.attempts
    this.origin = origin
    this.note = note
    this.signal = signal
    this.headerCount = cursor.headerCount
    this.headersStart = cursor.headersStart
    this.headersEnd = cursor.headersEnd
    this.#key = [cursor.keyStart, cursor.keyEnd]
    this.#value = [cursor.valueStart, cursor.valueEnd]
  }

  get key(): Uint8Array | null {
    const [start, end] = this.#key
    return start < 0 ? null : this.bytes.subarray(start, end)
  }
  get headers(): RecordHeaders {
    return readHeaders(this)
  }

  runBy(prepared: Prepared): Result | Promise<Result> {
    const [start, end] = this.#value
    return prepared.run(start < 0 ? null : this.bytes, start, end, this)
  }
}

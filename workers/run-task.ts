/**
 * One task, whole: bytes in, encoded batches and a partial aggregate out. Runs in a pool thread; nothing here knows it.
 * Law: every offset of the range that holds a record gets exactly one of output, letter, drop or parking, in offset order.
 */

import type { CodeCount } from '../cluster/events.ts'
import { RecordCursor, verifyCrc } from '../cluster/kafka/codec/decode.ts'
import { CodecError } from '../cluster/kafka/codec/error.ts'
import { type BatchHeader, readHeader } from '../cluster/kafka/codec/header.ts'
import { OriginBlock } from '../cluster/kafka/codec/header-block.ts'
import type { DropRange } from '../cluster/protocol/drops.ts'
import { HEADER } from '../cluster/protocol/headers.ts'
import { type Row, rowFields, rowOf } from '../pipelines/api/batches.ts'
import type { JsonObject } from '../pipelines/api/define.ts'
import {
  errorClassOf,
  eventTimeOf,
  type Finished,
  type Prepared,
  type Result,
} from '../pipelines/api/execute.ts'
import type { Folder } from '../pipelines/api/folder.ts'
import type { Retry } from '../pipelines/api/outcome.ts'
import { LetterWriter } from './letter.ts'
import { Outbox } from './outbox.ts'
import { RecordInput } from './record-input.ts'
import { batchOfOne, type FreshPark, maskedKey, previewOf } from './retries/park.ts'
import { waitAfter } from './retries/policy.ts'
import { NO_OFFSET, type Task, type TaskResult, type ThreadSetup } from './task.ts'
import { Tracing } from './tracing.ts'

/** `process` hears of the end a little before the thread is taken away. */
const SIGNAL_SHARE = 0.9
/** Fate and code of a done record that has no output. */
const DONE = 'done'
const DONE_OUTCOME = { outcome: DONE } as const

export class TaskRun {
  readonly #setup: ThreadSetup
  readonly #prepared: Prepared
  readonly #task: Task
  readonly #folder: Folder
  readonly #outputs: Outbox | undefined
  readonly #letters: Outbox
  readonly #letterWriter: LetterWriter
  readonly #block: OriginBlock
  readonly #cursor = new RecordCursor()
  readonly #drops: DropRange[] = []
  readonly #rowFields: readonly string[] | undefined
  readonly #rows: Row[] = []
  readonly #parks: FreshPark[] = []
  readonly #counts = { done: 0, dead: 0, dropped: 0, late: 0 }
  readonly #codes = new Map<string, { -readonly [K in keyof CodeCount]: CodeCount[K] }>()
  readonly #tracing: Tracing
  readonly #busyWith: Float64Array
  /** First offset of the present batch that has no outcome yet. */
  #reached = 0
  #signal: AbortSignal | undefined

  /** @param busyWith its first element is kept at the offset that the thread is busy with */
  constructor(
    setup: ThreadSetup,
    prepared: Prepared,
    task: Task,
    busyWith: Float64Array = new Float64Array(1),
  ) {
    const { batchRecords } = task.overrides
    this.#busyWith = busyWith
    this.#tracing = new Tracing(setup.sampling, task.traces)
    this.#setup = setup
    this.#prepared = prepared
    this.#task = task
    this.#rowFields = rowFields(prepared.pipeline)
    this.#folder = prepared.folder({ watermark: task.watermark, now: task.now })
    this.#outputs = setup.output && new Outbox(setup.output, task.outputMapping, batchRecords)
    this.#letters = new Outbox(setup.letters, 'same', batchRecords)
    this.#block = new OriginBlock(task.topic, task.partition)
    this.#letterWriter = new LetterWriter(this.#letters, this.#block, task.partition, setup.name, task.now)
  }

  async run(): Promise<TaskResult> {
    const started = performance.now()
    const before = process.threadCpuUsage()
    const bytes = Buffer.from(this.#task.bytes)
    for (let header = readHeader(bytes, 0); header !== undefined; header = readHeader(bytes, header.end)) {
      // A batch of synchronous steps makes no promise: awaiting it would cost nothing but is not needed either.
      const pending = this.#batch(bytes, header)
      if (pending !== undefined) await pending
    }
    this.#busyWith[0] = NO_OFFSET
    const { user, system } = process.threadCpuUsage(before)
    return {
      outputs: this.#outputs?.take() ?? [],
      letters: this.#letters.take(),
      drops: this.#drops,
      parks: this.#parks,
      folded: this.#folder.take(),
      rows: this.#rows,
      ...this.#counts,
      codes: [...this.#codes.values()],
      traced: this.#tracing.traced,
      untraced: this.#tracing.leftOut,
      cpuMs: (user + system) / 1000,
      runMs: performance.now() - started,
    }
  }

  #batch(bytes: Buffer, header: BatchHeader): Promise<void> | undefined {
    this.#reached = header.baseOffset
    try {
      if (!verifyCrc(bytes, header)) throw new CodecError('corrupt', 'the checksum of a batch does not match')
      this.#cursor.reset(bytes, header, this.#setup.maxDecompressedBytes)
      for (let input = this.#next(); input !== undefined; input = this.#next()) {
        const outcome = this.#runOne(input)
        // A pipeline's own kind of promise is one too.
        if ('then' in outcome) return this.#asynchronous(header, input, outcome)
        this.#settle(input, outcome)
      }
    } catch (error) {
      this.#unreadable(header, error)
    }
    return undefined
  }

  /** From the first asynchronous step on: up to `concurrency` records under way, settled in their order. */
  async #asynchronous(header: BatchHeader, first: RecordInput, pending: Promise<Result>): Promise<void> {
    const underWay: { input: RecordInput; outcome: Result | Promise<Result> }[] = [
      { input: first, outcome: pending },
    ]
    const settleFirst = async () => {
      const oldest = underWay.shift()
      if (oldest === undefined) return
      this.#busyWith[0] = oldest.input.offset
      this.#settle(oldest.input, await oldest.outcome)
    }
    let broken: unknown
    try {
      for (let input = this.#next(); input !== undefined; input = this.#next()) {
        if (underWay.length >= this.#setup.concurrency) await settleFirst()
        underWay.push({ input, outcome: this.#runOne(input) })
      }
    } catch (error) {
      broken = error
    }
    while (underWay.length > 0) await settleFirst()
    if (broken !== undefined) this.#unreadable(header, broken)
  }

  #next(): RecordInput | undefined {
    const cursor = this.#cursor
    while (cursor.next()) {
      if (cursor.offset >= this.#task.from && cursor.offset < this.#task.to)
        return new RecordInput(cursor, this.#task, this.#timeUp)
    }
    return undefined
  }

  readonly #timeUp = (): AbortSignal => {
    this.#signal ??= AbortSignal.timeout(this.#setup.taskTimeout * SIGNAL_SHARE)
    return this.#signal
  }

  #runOne(input: RecordInput): Result | Promise<Result> {
    const { overrides, settled } = this.#task
    const { dead, faulty } = overrides
    const known = settled?.get(input.offset)
    this.#busyWith[0] = input.offset
    input.trace = this.#tracing.begin(input, known?.trace)
    const condemned = dead.size === 0 ? undefined : dead.get(input.offset)
    if (condemned !== undefined) return { outcome: 'dead', code: condemned, message: '' }
    const fault = faulty.size === 0 ? undefined : faulty.get(input.offset)
    if (fault !== undefined) return { outcome: 'retry', code: fault, message: '' }
    if (known !== undefined)
      return known.outcome === 'done' ? { ...known, value: JSON.parse(known.json) as JsonObject } : known
    return this.#prepared.run(
      input.valueStart < 0 ? null : input.bytes,
      input.valueStart,
      input.valueEnd,
      input,
    )
  }

  #settle(input: RecordInput, outcome: Result): void {
    this.#reached = input.offset + 1
    if (outcome.outcome === 'done') this.#done(input, outcome)
    else if (outcome.outcome === 'drop') {
      this.#note(input.offset, outcome.code)
      this.#counts.dropped++
      this.#ended(input, outcome)
    } else {
      input.trace = this.#tracing.failed(input.trace)
      if (outcome.outcome === 'dead' || !this.#park(input, outcome)) this.#letter(input, outcome)
      else this.#ended(input, outcome)
    }
  }

  /** What a record that has no output came to, for whoever counts and watches. */
  #ended(
    { offset, trace }: RecordInput,
    outcome: { readonly outcome: CodeCount['outcome']; readonly code: string },
  ): void {
    this.#count(outcome.outcome, outcome.code)
    if (trace !== undefined) this.#tracing.settled(offset, trace, outcome)
  }

  #count(outcome: CodeCount['outcome'], code: string): void {
    const key = `${outcome}/${code}`
    const known = this.#codes.get(key)
    if (known === undefined) this.#codes.set(key, { outcome, code, records: 1 })
    else known.records++
  }

  /** False where the record is not tried again: no retries, its last run, or no way to keep it as it is. */
  #park(input: RecordInput, { code, message }: Retry): boolean {
    const { retries, maxParkedBytes } = this.#setup
    const { settled, overrides, now } = this.#task
    if (retries.attempts <= 1 || settled !== undefined) return false
    const record = batchOfOne(input)
    if (record === undefined || record.length > maxParkedBytes) return false
    const due = now + waitAfter(retries, 1, Math.random())
    // A record that kills its thread must not run a mask either.
    const preview = overrides.faulty.has(input.offset)
      ? '(it ends its thread)'
      : previewOf(this.#prepared.pipeline, input.value)
    const trace = input.trace?.out
    const key = maskedKey(input.key)
    this.#parks.push({ offset: input.offset, code, message, due, key, preview, trace, record })
    return true
  }

  /** Runs of the record so far, this one included. */
  #attempts(offset: number): number {
    return this.#task.settled?.get(offset)?.attempts ?? 1
  }

  #done(input: RecordInput, { value, json }: Finished): void {
    const outputs = this.#outputs
    const keyBytes = input.keyEnd - input.keyStart
    // Three bytes a character is the most UTF-8 takes; only a text near the limit is measured.
    if (
      outputs !== undefined &&
      !outputs.fits(json.length * 3 + keyBytes) &&
      !outputs.fits(Buffer.byteLength(json) + keyBytes)
    ) {
      input.trace = this.#tracing.failed(input.trace)
      this.#letter(input, { code: 'output-too-large', message: '' })
      return
    }
    const leftOut = this.#folder.add(value, eventTimeOf(this.#prepared.pipeline, value, input.timestamp))
    if (outputs === undefined) this.#note(input.offset, DONE, DONE, leftOut)
    else this.#output(outputs, input, json, leftOut)
    if (this.#rowFields !== undefined) this.#rows.push(rowOf(value, this.#rowFields))
    this.#counts.done++
    if (input.trace !== undefined) this.#tracing.settled(input.offset, input.trace, DONE_OUTCOME)
    if (leftOut.length > 0) this.#counts.late++
  }

  #output(outputs: Outbox, input: RecordInput, json: string, leftOut: readonly string[]): void {
    const { now, partition } = this.#task
    const timestamp = outputs.clamp(input.timestamp, now)
    this.#block.at(input.offset)
    if (timestamp !== input.timestamp || outputs.stampsAnew)
      this.#block.add(HEADER.originalTimestamp, String(input.timestamp))
    if (leftOut.length > 0) this.#block.add(HEADER.late, leftOut.join(','))
    const attempts = this.#attempts(input.offset)
    if (attempts > 1) this.#block.add(HEADER.attempts, String(attempts))
    if (input.trace !== undefined) this.#block.add(HEADER.traceparent, input.trace.out)
    const target = outputs.partitionOf(input.bytes, input.keyStart, input.keyEnd, partition)
    if (!outputs.add(target, timestamp, input.bytes, input.keyStart, input.keyEnd, json, this.#block))
      throw new Error(`the output of offset ${input.offset} was measured to fit and does not`)
  }

  #letter(input: RecordInput, failure: { readonly code: string; readonly message: string }): void {
    const attempts = this.#attempts(input.offset)
    const asReference = this.#task.overrides.references.has(input.offset)
    this.#letterWriter.write(input, { ...failure, attempts, trace: input.trace?.out }, asReference)
    this.#ended(input, { outcome: 'dead', code: failure.code })
    this.#dead(failure.code)
  }

  #dead(code: string): void {
    this.#folder.error(errorClassOf(this.#prepared.pipeline, code))
    this.#counts.dead++
  }

  /** In the drops topic: what leaves no record elsewhere. */
  #note(offset: number, code: string, fate?: 'done', leftOut: readonly string[] = []): void {
    const { partition } = this.#task
    const last = this.#drops.at(-1)
    const attempts = this.#attempts(offset)
    const more = {
      ...(fate && { fate }),
      ...(leftOut.length > 0 && { late: leftOut }),
      ...(fate && attempts > 1 && { attempts }),
    }
    const isSame =
      last?.code === code &&
      last.fate === more.fate &&
      last.attempts === more.attempts &&
      String(last.late) === String(more.late)
    if (isSame && last.to === offset - 1) this.#drops[this.#drops.length - 1] = { ...last, to: offset }
    else this.#drops.push({ partition, from: offset, to: offset, code, ...more })
  }

  /** The rest of a batch that cannot be read: each of its offsets becomes a letter, so that none is lost without a word. */
  #unreadable(header: BatchHeader, error: unknown): void {
    if (!(error instanceof CodecError)) throw error
    const first = Math.max(this.#reached, this.#task.from)
    const end = Math.min(header.lastOffset + 1, this.#task.to)
    for (let offset = first; offset < end; offset++) {
      const code = `batch-${error.code}`
      this.#letterWriter.writeUnreadable(offset, { code, message: error.message })
      this.#count('dead', code)
      this.#dead(code)
    }
  }
}

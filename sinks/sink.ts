/**
 * From an output topic into a store, each committed record once: read -> documents -> bulks -> commit.
 * The store takes a document again under the same id without harm, and the position follows the store's word: after a
 * crash some documents are written twice, and stay one.
 *
 * Law of back-pressure: what is fetched and not committed stays below `heldBytes` plus what one fetch brings of each
 * partition; at most `bulksInFlight` bulks are under way.
 * States: running -> draining (no more is read, what is under way ends within the grace) -> ended.
 */
import { MillraceError } from '../cluster/errors.ts'
import { CodecError } from '../cluster/kafka/codec/error.ts'
import { pause } from '../cluster/kafka/failures.ts'
import type { Reader } from '../cluster/kafka/ports.ts'
import { type Document, type DocumentLimits, documentsOf, isRejection, type Rejection } from './documents.ts'
import { type Letter, letterOf } from './letters.ts'
import { Progress, type Span } from './progress.ts'

/** Law: resolves only when each document is stored durably or rejected for ever; an abort of the signal rejects. */
export interface Store {
  write(documents: readonly Document[], signal: AbortSignal): Promise<readonly Rejection[]>
}

/** Law: both or neither; whoever is no longer the newest sink of its name is refused. */
export interface Commits {
  commit(positions: ReadonlyMap<number, number>, letters: readonly Letter[]): Promise<void>
}

/** What came of records, over every opening of a sink; a document written again counts again. */
export interface Tally {
  indexed: number
  rejected: number
}

export interface SinkOptions {
  readonly topic: string
  readonly reader: Reader
  readonly store: Store
  readonly commits: Commits
  /** Partition -> next offset. */
  readonly positions: ReadonlyMap<number, number>
  /** Partition -> end at which the sink ends by itself; absent, it follows the topic. */
  readonly until?: ReadonlyMap<number, number>
  readonly limits: DocumentLimits
  readonly tally: Tally
  readonly heldBytes: number
  readonly bulkRecords: number
  readonly bulkBytes: number
  readonly bulksInFlight: number
  /** ms */
  readonly commitInterval: number
  /** ms */
  readonly grace: number
}

interface Bulk {
  readonly documents: Document[]
  readonly spans: Span[]
  bytes: number
}

const emptyBulk = (): Bulk => ({ documents: [], spans: [], bytes: 0 })

const REMEDY = 'docs/opensearch.md says what each name means and what to do'
/** An idle position is repeated: a group's offsets expire. */
const REPEAT_MS = 3_600_000

export class Sink {
  readonly #options: SinkOptions
  readonly #progress: Progress
  readonly #queue: Span[] = []
  readonly #flying = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  /** Ends what is under way: the grace is over, or the sink has failed. */
  readonly #giveUp = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  #arrived = Promise.withResolvers<void>()
  #failure: { readonly error: unknown } | undefined
  #repeatAt = performance.now() + REPEAT_MS

  constructor(options: SinkOptions) {
    this.#options = options
    this.#progress = new Progress(options.positions)
  }

  get held(): number {
    return this.#progress.held
  }

  get positions(): ReadonlyMap<number, number> {
    return this.#progress.positions
  }

  /** Until the signal aborts or the ends are reached. @throws whatever ended it early; nothing is committed that is not stored */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#end(), { once: true })
    if (signal.aborted) this.#end()
    this.#open()
    const committing = this.#commitLoop()
    await this.#flow()
    await this.#options.reader.stop()
    await this.#drain()
    await committing
    if (this.#failure === undefined) await this.#commit().catch((error: unknown) => this.#fail(error))
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #end(): void {
    this.#stop.abort()
    this.#ended.resolve()
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#giveUp.abort()
    this.#end()
  }

  #open(): void {
    const { reader, positions, heldBytes } = this.#options
    for (const [partition, offset] of positions)
      reader.open(partition, offset, {
        wants: () => this.held < heldBytes,
        chunk: (chunk) => {
          this.#queue.push(this.#progress.begin(chunk))
          this.#arrived.resolve()
        },
        fault: ({ fault, detail }) => this.#fail(new MillraceError(fault, detail, { remedy: REMEDY })),
      })
    if (this.#isAtEnd()) this.#end()
  }

  /** The data path. */
  async #flow(): Promise<void> {
    let bulk = emptyBulk()
    while (!this.#stop.signal.aborted) {
      const span = this.#queue.shift()
      if (span === undefined) {
        if (bulk.documents.length > 0) await this.#send(bulk)
        bulk = emptyBulk()
        await this.#more()
      } else bulk = await this.#handOn(span, bulk)
    }
  }

  async #more(): Promise<void> {
    if (this.#queue.length === 0) await Promise.race([this.#arrived.promise, this.#ended.promise])
    this.#arrived = Promise.withResolvers()
  }

  /** @returns the bulk that is being filled */
  async #handOn(span: Span, begun: Bulk): Promise<Bulk> {
    const { topic, limits, bulkRecords, bulkBytes } = this.#options
    let bulk = begun
    try {
      for (const one of documentsOf(topic, span.chunk, limits)) {
        if (isRejection(one)) this.#reject(span, one)
        else {
          span.opened()
          bulk.documents.push(one)
          bulk.spans.push(span)
          bulk.bytes += one.source.length
        }
        if (bulk.documents.length < bulkRecords && bulk.bytes < bulkBytes) continue
        await this.#send(bulk)
        bulk = emptyBulk()
        if (this.#stop.signal.aborted) return bulk
      }
      span.handedOn()
    } catch (error) {
      this.#fail(error instanceof CodecError ? unreadable(topic, span, error) : error)
    }
    return bulk
  }

  /** Resolves when there was a place for it; a bulk that found none before the end is written at the next start. */
  async #send(bulk: Bulk): Promise<void> {
    while (this.#flying.size >= this.#options.bulksInFlight && !this.#stop.signal.aborted)
      await Promise.race([...this.#flying, this.#ended.promise])
    if (this.#stop.signal.aborted) return
    const flight = this.#write(bulk)
      // What was given up has no error of its own.
      .catch((error: unknown) => {
        if (!this.#giveUp.signal.aborted) this.#fail(error)
      })
      .finally(() => this.#flying.delete(flight))
    this.#flying.add(flight)
  }

  async #write({ documents, spans }: Bulk): Promise<void> {
    const rejections = await this.#options.store.write(documents, this.#giveUp.signal)
    const rejected = new Map(rejections.map((one) => [one.record, one]))
    for (const [index, { record }] of documents.entries()) {
      const span = spans[index]
      const rejection = rejected.get(record)
      if (span === undefined) continue
      if (rejection === undefined) this.#options.tally.indexed++
      else this.#reject(span, rejection)
      span.settled()
    }
  }

  #reject(span: Span, rejection: Rejection): void {
    this.#options.tally.rejected++
    span.rejections.push(rejection)
  }

  /** Within the grace; what has not ended by then is written again at the next start. */
  async #drain(): Promise<void> {
    const timer = setTimeout(() => this.#giveUp.abort(), this.#options.grace)
    await Promise.all(this.#flying)
    clearTimeout(timer)
  }

  async #commitLoop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(this.#options.commitInterval, this.#stop.signal)
      await this.#commit().catch((error: unknown) => this.#fail(error))
      if (this.#isAtEnd()) this.#end()
    }
  }

  async #commit(): Promise<void> {
    const { positions, rejections } = this.#progress.settled()
    const repeat = performance.now() >= this.#repeatAt
    if (positions.size === 0 && !repeat) return
    const now = Date.now()
    const letters = rejections.map((one) => letterOf(one, now))
    const all = repeat ? new Map([...this.positions, ...positions]) : positions
    await this.#options.commits.commit(all, letters)
    if (repeat) this.#repeatAt = performance.now() + REPEAT_MS
    this.#progress.committed(positions)
    this.#options.reader.wake()
  }

  #isAtEnd(): boolean {
    const { until } = this.#options
    return until !== undefined && [...until].every(([one, end]) => (this.positions.get(one) ?? 0) >= end)
  }
}

const unreadable = (topic: string, { chunk }: Span, cause: CodecError): MillraceError =>
  new MillraceError('topic-mismatch', `${topic}/${chunk.partition} from ${chunk.from}: ${cause.message}`, {
    remedy: 'a record batch cannot be read: see MILLRACE_MAX_DECOMPRESSED_BYTES and docs/opensearch.md',
    cause,
  })

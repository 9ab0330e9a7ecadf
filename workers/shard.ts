/**
 * The shard: the actor that owns one slot, the only writer of everything that derives from its partitions.
 *
 * The data path, top to bottom:
 *   reader -> chunk -> mailbox -> pool (runs ahead) -> finished, in order -> one transaction -> views, queue, next
 *   retried -> judged -> returns -> pool -> the same transactions; never held up by a full mailbox or too many parked
 *
 * States: claiming -> running -> releasing -> gone; from anywhere to `halted` (by name: a person must mend it) or
 * `fenced` (a newer owner exists: only a newer plan starts it again).
 * Whatever is under way carries the incarnation it began in: after a reopen (P3.4 b) what arrives from another is ignored.
 */
import { type Actor, spawn } from '../cluster/actor/actor.ts'
import { MillraceError, messageOf } from '../cluster/errors.ts'
import { CODE } from '../cluster/kafka/codes.ts'
import { pause } from '../cluster/kafka/failures.ts'
import { free } from '../cluster/kafka/free.ts'
import type { Chunk, Reader, TransactResult, Writer } from '../cluster/kafka/ports.ts'
import type { SlotMeasures } from '../cluster/measures.ts'
import type { SlotReport, SlotState } from '../cluster/protocol/plan.ts'
import type { Position } from '../cluster/protocol/state.ts'
import type { Flush } from './batches.ts'
import type { Runner } from './bisect.ts'
import { type Commit, Commits } from './commits.ts'
import { Input } from './input.ts'
import type { Entry, Mailbox } from './mailbox.ts'
import { Meter } from './meter.ts'
import type { SlotProgress } from './progress.ts'
import type { Committed, Publisher } from './publisher.ts'
import { mend, type Refused } from './refusal.ts'
import { slotMeasures, slotReport, viewWatermark } from './report.ts'
import { Intake } from './retries/intake.ts'
import type { ShardRetries } from './retries/retries.ts'
import { runEntry } from './run-entry.ts'
import type { SlotContext } from './slot.ts'
import { type FirstOffsets, type Takeover, takeOver } from './takeover.ts'
import type { TaskResult } from './task.ts'
import { newestOf, tellCommitted } from './told.ts'

export interface ShardParts {
  readonly context: SlotContext
  readonly reader: Reader
  readonly writer: Writer
  readonly pool: Runner
  readonly publisher: Publisher
  readonly retries: ShardRetries
  readonly first: FirstOffsets
}

type Message = (self: Shard) => void | Promise<void>
type Ended = Exclude<Takeover, { readonly result: 'owned' }>

const REOPEN_PAUSE_MS = 200

export class Shard {
  readonly slot: number
  readonly #parts: ShardParts
  readonly #context: SlotContext
  readonly #actor: Actor<Message>
  readonly #mailbox: Mailbox
  readonly #intake: Intake
  readonly #commits: Commits
  readonly #meter = new Meter()
  readonly #input: Input
  /** Epoch ms of the newest committed record of each partition. */
  readonly #newest = new Map<number, number>()
  readonly #released = Promise.withResolvers<void>()
  #phase: SlotState = 'claiming'
  #reason = ''
  #halted: string | undefined
  /** Partitions of the slot that the input gained. */
  readonly #gained: number[] = []
  /** Claims and commits so far. */
  #steps = 0
  /** Epoch ms of the last commit or claim. */
  #quietSince = 0
  /** Set at once where a release is wanted: what has not begun must not begin any more. */
  #leaving = false
  #abandoned = false
  #incarnation = 0
  /** Settles when no transaction is under way; never rejects. */
  #transacting: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: ShardParts) {
    const { settings, slot } = parts.context
    this.slot = slot
    this.#parts = parts
    this.#context = parts.context
    this.#intake = new Intake(slot, settings, parts.retries)
    this.#input = new Input({
      context: parts.context,
      reader: parts.reader,
      positions: () => this.positions,
      isCapped: () => this.#intake.isCapped,
    })
    this.#mailbox = this.#input.mailbox
    this.#commits = new Commits(parts.context, this.#mailbox, this.#intake.returns)
    this.#actor = spawn<Message>({
      name: `shard ${slot}`,
      receive: (message) => message(this),
      onStop: () => this.#end(),
    })
    this.#actor.tell(() => this.#claim())
  }

  get stopped(): Actor<Message>['stopped'] {
    return this.#actor.stopped
  }
  get positions(): ReadonlyMap<number, Position> {
    return this.#commits.state.positions
  }
  #facts() {
    const { slot, positions } = this
    return { slot, state: this.#phase, positions, ends: this.#input.ends, unread: this.#input.paused }
  }
  report(): SlotReport {
    return slotReport({
      ...this.#facts(),
      epoch: this.#context.epoch,
      reason: this.#reason || this.#intake.waitsFor,
      rates: this.#meter.rates(performance.now()),
      batches: this.#commits.state.batches,
      committedAt: this.#quietSince,
    })
  }
  measures(): SlotMeasures {
    return slotMeasures({
      ...this.#facts(),
      halt: this.#halted,
      newest: this.#newest,
      mailbox: { records: this.#mailbox.records, bytes: this.#mailbox.bytes },
      paused: this.#input.pausedMs(),
      now: Date.now(),
    })
  }
  /** Where it stands, for whoever looks whether it moves. */
  progress(): SlotProgress {
    const inPool = this.#mailbox.running + this.#intake.returns.running > 0
    return { ...this.#facts(), steps: this.#steps, isCapped: this.#intake.isCapped, inPool }
  }

  /** Ends of partitions, asked beside the flow. */
  learn(ends: ReadonlyMap<number, number>): void {
    this.#input.learn(ends)
  }

  /**
   * It stands still, and nobody waits for what it awaits: nothing of it is heard any more. Whoever starts the slot again
   * fences what its writer may still send.
   */
  abandon(): void {
    this.#abandoned = true
    this.#stopReading('claiming', 'it stood still')
    void this.stop()
  }

  /**
   * Stops reading, drains what the pool has begun, commits, publishes; then the shard is gone. The deadline bounds the
   * draining; a request of the writer that is under way ends first, so that nothing is written once this resolves.
   */
  async release(deadlineMs: number): Promise<void> {
    const started = performance.now()
    const drained = new AbortController()
    this.#leaving = true
    this.#actor.tell(() => this.#startRelease())
    await Promise.race([this.#released.promise, this.#actor.stopped, pause(deadlineMs, drained.signal)])
    drained.abort()
    if (!this.#abandoned) await this.#actor.stop()
    this.#context.events.emit('released', {
      slot: this.slot,
      epoch: this.#context.epoch,
      ms: performance.now() - started,
    })
  }

  /** The input has more partitions, these of them of this slot: taken in when no transaction is under way. */
  extend(gained: readonly number[]): void {
    this.#actor.tell(() => {
      this.#gained.push(...gained)
      this.#advance()
    })
  }

  /** Exactly these partitions are not read from now on. */
  pause(partitions: ReadonlySet<number>): void {
    this.#actor.tell(() => {
      this.#input.pause(partitions)
      if (this.#phase === 'running') this.#advance()
    })
  }

  /** Publishes what waits in an unfilled batch of insights. */
  flush(order: Flush): void {
    this.#actor.tell(() => {
      this.#commits.flush(order)
      if (this.#phase === 'running') this.#advance()
    })
  }

  /** Ends at once, without a commit: what is under way is done again by the next owner. */
  async stop(): Promise<void> {
    this.#leaving = true
    await this.#actor.stop()
  }

  async #claim(): Promise<void> {
    if (this.#leaving) return
    const started = performance.now()
    const opened = await this.#parts.writer.fence()
    if (opened.result !== 'open') return this.#fail(opened)
    await this.#takeOver(started)
  }

  async #takeOver(started: number): Promise<void> {
    if (this.#leaving) return this.#released.resolve()
    const incarnation = this.#incarnation
    const owned = await takeOver(this.#context, this.#parts.writer, this.#parts.first)
    // Abandoned meanwhile.
    if (incarnation !== this.#incarnation) return
    if (owned.result !== 'owned') return this.#fail(owned)
    this.#commits.adopt(owned.state, owned.offsets)
    this.#intake.adopt(this.#commits)
    this.#quietSince = Date.now()
    this.#steps++
    this.#parts.publisher.begin(this.#committed())
    this.#phase = 'running'
    const { epoch, events } = this.#context
    events.emit('claimed', {
      slot: this.slot,
      epoch,
      restoredRecords: owned.restoredRecords,
      ms: performance.now() - started,
    })
    this.#read()
    this.#advance()
  }

  #read(): void {
    const incarnation = this.#incarnation
    const current = (act: () => void | Promise<void>) =>
      this.#actor.tell(() => (incarnation === this.#incarnation ? act() : undefined))
    this.#input.open({
      chunk: (chunk) => current(() => this.#take(chunk)),
      fault: ({ fault, detail }) => current(() => this.#halt(fault, detail)),
    })
    this.#intake.open({
      current,
      taken: () => this.#advance(),
      halt: (code, detail) => this.#halt(code, detail),
    })
  }

  #take(chunk: Chunk): void {
    if (this.#phase === 'running' && this.#input.take(chunk)) this.#advance()
  }

  /** Everything that can go on now: batches to the pool, a transaction of what is ready. */
  #advance(): void {
    for (let entry = this.#nextWaiting(); entry !== undefined; entry = this.#nextWaiting()) this.#run(entry)
    clearTimeout(this.#timer)
    if (this.#phase === 'running' && !this.#commits.busy && this.#input.lacks(this.#gained.splice(0))) {
      this.#askReopen('the input has new partitions')
      return
    }
    const wait = this.#commits.due(performance.now(), this.#phase === 'releasing')
    if (wait === 0) this.#commit()
    else if (wait !== undefined) this.#timer = setTimeout(() => this.#actor.tell(() => this.#advance()), wait)
    else if (this.#phase === 'releasing' && this.#mailbox.empty && this.#intake.returns.empty)
      this.#released.resolve()
  }

  /** With too many parked, no further input is run; results of retries always are. */
  #nextWaiting(): Entry | undefined {
    const result = this.#intake.returns.takeWaiting()
    return result ?? (this.#intake.isCapped ? undefined : this.#mailbox.takeWaiting())
  }

  #run(entry: Entry): void {
    const incarnation = this.#incarnation
    const { context, pool } = this.#parts
    runEntry(entry, { context, pool, state: () => this.#commits.state, owner: this.#intake.owner }).then(
      (result) => this.#actor.tell(() => this.#finished(incarnation, entry, result)),
      (error) =>
        this.#actor.tell(() => (incarnation === this.#incarnation ? this.#haltBy(error) : undefined)),
    )
  }

  #finished(incarnation: number, entry: Entry, result: TaskResult): void {
    if (incarnation !== this.#incarnation) return
    entry.state = 'ready'
    entry.result = result
    entry.times.finished = performance.now()
    this.#context.traces?.spend(result.traced.length)
    this.#meter.cpu(result.cpuMs)
    this.#advance()
  }

  #commit(): void {
    const begun = this.#commits.begin(performance.now())
    if ('outdated' in begun) {
      this.#again(begun.outdated)
      this.#advance()
      return
    }
    if ('broken' in begun) {
      this.#halt('pipeline-insights', begun.broken)
      return
    }
    const incarnation = this.#incarnation
    const { commit } = begun
    const current = (act: () => void | Promise<void>) =>
      this.#actor.tell(() => (incarnation === this.#incarnation ? act() : undefined))
    this.#transacting = this.#commits.transact(this.#parts.writer, commit).then(
      (result) => current(() => this.#transacted(commit, result)),
      (error) => current(() => this.#haltBy(error)),
    )
  }

  #again(entries: readonly Entry[]): void {
    for (const entry of entries) {
      entry.state = 'waiting'
      entry.result = undefined
    }
  }

  #transacted(commit: Commit, result: TransactResult): void | Promise<void> {
    if (result.result === 'refused') return this.#refused(commit, result)
    if (result.result !== 'committed') return this.#fail(result)
    const now = performance.now()
    this.#commits.apply(commit, result.offsets, now)
    this.#steps++
    this.#quietSince = Date.now()
    this.#parts.publisher.changed(this.#committed(), commit.advance.changed)
    this.#intake.committed(this.#commits, commit.advance.parked)
    for (const [partition, newest] of newestOf(commit)) this.#newest.set(partition, newest)
    const { concurrentRetries } = result
    const told = { slot: this.slot, commit, now, concurrentRetries }
    this.#meter.commit(now, tellCommitted(this.#context.events, told))
    for (const part of commit.content.parts) free(part.bytes)
    this.#parts.reader.wake()
    this.#parts.retries.reader.wake()
    this.#advance()
  }

  #committed(): Committed {
    const { state, offsets } = this.#commits
    const { ends } = this.#input
    const quietSince = this.#quietSince
    return { state, offsets, watermark: () => viewWatermark({ state, ends, quietSince }, Date.now()) }
  }

  async #refused(commit: Commit, refused: Refused): Promise<void> {
    const mended = mend(refused, commit, this.#context.names)
    if (mended === undefined) return this.#halt('topic-mismatch', `Kafka refuses ${refused.detail}`)
    const incarnation = this.#incarnation
    const opened = await this.#parts.writer.reopen()
    if (incarnation !== this.#incarnation) return
    // Until the writer is open the commit stays open too, so that no other begins.
    if (opened.result !== 'open') return this.#fail(opened)
    mended.entry.overrides = mended.overrides
    this.#again([mended.entry])
    this.#commits.cancel()
    this.#advance()
  }

  #fail(ended: Ended): void {
    if (ended.result === 'unclear') this.#askReopen(ended.reason)
    else if (ended.result === 'halted')
      this.#halt(ended.code === CODE.unknownTopicOrPartition ? 'topic-missing' : 'kafka-auth', ended.detail)
    else if (ended.result === 'stopped') this.#halt(ended.code, ended.detail)
    else {
      this.#stopReading('fenced', 'a newer owner exists')
      this.#context.events.emit('fenced', { slot: this.slot, code: ended.code })
    }
  }

  /** Forgotten where the shard has halted, was fenced or has reopened by the time it is its turn. */
  #askReopen(reason: string): void {
    const incarnation = this.#incarnation
    this.#actor.tell(() => (incarnation === this.#incarnation ? this.#reopen(reason) : undefined))
  }

  /** Whether the transaction was committed is read back from the state. Never beside a transaction that is under way. */
  async #reopen(reason: string): Promise<void> {
    this.#context.events.emit('reopened', { slot: this.slot, reason })
    if (this.#phase === 'running') this.#phase = 'claiming'
    this.#closeReader()
    const incarnation = ++this.#incarnation
    this.#mailbox.clear()
    this.#intake.returns.clear()
    await this.#transacting
    await pause(REOPEN_PAUSE_MS)
    const opened = await this.#parts.writer.reopen()
    if (incarnation !== this.#incarnation) return
    if (opened.result !== 'open') return this.#fail(opened)
    await this.#takeOver(performance.now())
  }

  #haltBy(error: unknown): void {
    const code = error instanceof MillraceError ? error.code : 'internal'
    this.#halt(code, code === 'internal' ? String(error) : messageOf(error))
  }

  #halt(code: string, detail: string): void {
    this.#stopReading('halted', `${code}: ${detail}`)
    this.#halted = code
    this.#context.events.emit('halted', { slot: this.slot, code, detail })
  }

  /** Nothing is written any more. */
  #stopReading(phase: 'halted' | 'fenced' | 'claiming', reason: string): void {
    this.#phase = phase
    this.#reason = reason
    this.#incarnation++
    this.#intake.forget()
    this.#mailbox.clear()
    this.#intake.returns.clear()
    this.#closeReader()
    this.#released.resolve()
  }

  #startRelease(): void {
    if (this.#phase === 'halted' || this.#phase === 'fenced') {
      this.#released.resolve()
      return
    }
    this.#phase = 'releasing'
    this.#closeReader()
    this.#mailbox.dropWaiting()
    this.#intake.returns.dropWaiting()
    this.#advance()
  }

  #closeReader(): void {
    clearTimeout(this.#timer)
    this.#input.close()
    this.#parts.retries.reader.close(this.slot)
  }

  async #end(): Promise<void> {
    this.#incarnation++
    this.#mailbox.clear()
    this.#intake.returns.clear()
    this.#closeReader()
    await this.#transacting
    await Promise.all([this.#parts.publisher.stop(), this.#parts.retries.feed.stop()])
    await this.#parts.writer.close()
  }
}

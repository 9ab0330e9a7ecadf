/**
 * What happens, as typed events: telemetry, logs and the demo's status line subscribe; the flow only emits.
 * One list, so that every span, metric and log line later has a declared source.
 */
import { EventEmitter } from 'node:events'
import { messageOf } from './errors.ts'
import { printableText } from './printable.ts'
import type { TracedRecord } from './trace.ts'

/** A JSON object as it was published. */
type Said = { readonly [name: string]: unknown }

/** What did not succeed, of one batch. */
export interface CodeCount {
  readonly outcome: 'dead' | 'drop' | 'retry'
  readonly code: string
  readonly records: number
}

/** One batch of a committed transaction. Times are performance.now(); 0 where it did not pass that step. */
export interface BatchCommitted {
  readonly slot: number
  readonly partition: number
  /** Input offsets [from, next) that it covers; of results of retries: the range their records lie in. */
  readonly from: number
  readonly next: number
  readonly records: number
  /** Runs that a record took: a batch of results of retries holds later ones. */
  readonly run: 'first' | 'later'
  readonly done: number
  readonly codes: readonly CodeCount[]
  /** Runs in all of each record that was settled. */
  readonly attempts: readonly number[]
  readonly taken: number
  readonly handed: number
  readonly finished: number
  /** ms in its thread. */
  readonly runMs: number
  readonly commitBegun: number
  readonly committed: number
  /** Windows its transaction changed: they are published afterwards. */
  readonly windows: number
  readonly traced: readonly TracedRecord[]
  readonly untraced: number
}

/** A later run of a parked record. */
export interface RetryRun {
  readonly slot: number
  readonly partition: number
  readonly offset: number
  /** Number of the run. */
  readonly attempt: number
  readonly outcome: 'done' | 'drop' | 'dead' | 'retry'
  readonly code?: string
  /** `traceparent` of the run that parked the record, and of this one; absent where it has no spans. */
  readonly parent?: string | undefined
  readonly own?: string | undefined
  /** performance.now() */
  readonly begun: number
  readonly ended: number
}

/** A dead letter that went back into the input. */
export interface LetterSent {
  /** Of the dead letter. */
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** By what its value was mended; absent where it was not. */
  readonly by?: string | undefined
  /** `traceparent` of the letter, of its repair, of the record that was sent. */
  readonly trace: { readonly parent: string; readonly repair?: string; readonly own: string }
  /** performance.now() */
  readonly begun: number
  readonly ended: number
}

export interface Events {
  /** A committed transaction of one shard. Durations in ms. */
  committed: {
    slot: number
    records: number
    done: number
    dead: number
    dropped: number
    late: number
    /** Waiting for another run from here on. */
    parked: number
    bytes: number
    ms: number
    concurrentRetries: number
  }
  batchCommitted: BatchCommitted
  retryRun: RetryRun
  /** A later run could not be had; the job comes again. */
  retryLater: { slot: number; reason: string }
  letterSent: LetterSent
  /** A record with a trace was sent into the input; performance.now(). */
  recordSent: { own: string; begun: number; ended: number }
  /** A takeover ended: the shard fetches. */
  claimed: { slot: number; epoch: number; restoredRecords: number; ms: number }
  released: { slot: number; epoch: number; ms: number }
  /** A shard stopped by name; only a person can mend it. */
  halted: { slot: number; code: string; detail: string }
  /** A shard ended by a fault of its own and is started again. */
  shardFailed: { slot: number; reason: string; waitMs: number }
  /** A newer owner exists. */
  fenced: { slot: number; code: number }
  /** The producer was thrown away and the shard restores (P3.4 b). */
  reopened: { slot: number; reason: string }
  threadDied: { slot: number; partition: number; from: number; to: number; cause: string }
  /** Parked records whose jobs the queue had lost, or had given up; `ended` became dead letters. */
  requeued: { slot: number; jobs: number; ended: number }
  /** Parked records wait: the queue cannot be reached. */
  retriesWait: { slot: number; reason: string }
  viewsPublished: { slot: number; windows: number; ms: number }
  viewsFailed: { slot: number; reason: string }
  planApplied: { epoch: number; owned: number }
  waiting: { for: string; detail: string }
  /** A coordinator leads from here on. */
  leading: { term: number }
  /** It leads no more. */
  deposed: { term: number; reason: string }
  planned: {
    pipeline: string
    epoch: number
    slots: number
    owned: number
    releasing: number
    workers: number
    /** Slots that this plan takes from a living worker. */
    moved: number
  }
  /** A plan of that epoch takes up what people ordered. */
  obeyed: { pipeline: string; epoch: number; order: number; act: string }
  /** What a slot published by count, in a committed transaction. */
  insights: { slot: number; records: number; messages: readonly Said[] }
  /** What the leader published over all slots. */
  clusterInsights: { pipeline: string; messages: readonly { readonly key: string; readonly value: Said }[] }
  /** Dead letters of one class, over all slots, have reached what the pipeline alerts at. */
  alert: { pipeline: string; errorClass: string; count: number; at: number }
  /** The hook did not take an alert, at any of a few tries. */
  alertUnsent: { pipeline: string; errorClass: string; reason: string }
  /** Of a sink, every few seconds in which something happened. Counts since it started; `lag` is what it has not committed. */
  indexed: { index: string; indexed: number; rejected: number; heldBytes: number; lag: number }
  /** Something of another version or malformed was left alone. */
  skipped: { detail: string }
}

/** What whoever only listens sees of it. */
export type Listened = Pick<EventBus, 'on'>

/** For those who watch: a fault of theirs is told once, as a warning of the process, and the flow that emitted goes on. */
export const guarded = (events: EventBus, who: string): Listened => ({
  on: (name, listener) => {
    let told = false
    events.on(name, (event) => {
      try {
        listener(event)
      } catch (error) {
        if (!told) process.emitWarning(printableText(`${who}: ${messageOf(error)}`))
        told = true
      }
    })
  },
})

export class EventBus {
  readonly #emitter = new EventEmitter()
  emit<K extends keyof Events>(name: K, event: Events[K]): void {
    this.#emitter.emit(name, event)
  }
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): void {
    this.#emitter.on(name, listener)
  }
  /** Resolves at the next event of that name that fits. */
  next<K extends keyof Events>(
    name: K,
    fits: (event: Events[K]) => boolean = () => true,
  ): Promise<Events[K]> {
    return new Promise((resolve) => {
      const listener = (event: Events[K]) => {
        if (!fits(event)) return
        this.#emitter.off(name, listener)
        resolve(event)
      }
      this.#emitter.on(name, listener)
    })
  }
}

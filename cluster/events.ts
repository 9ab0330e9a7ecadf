/**
 * What happens, as typed events: telemetry, logs and the demo's status line subscribe; the flow only emits.
 * One list, so that every span, metric and log line later has a declared source.
 */
import { EventEmitter } from 'node:events'

/** A JSON object as it was published. */
type Said = { readonly [name: string]: unknown }

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
  planned: { pipeline: string; epoch: number; owned: number; releasing: number; workers: number }
  /** What a slot published by count, in a committed transaction. */
  insights: { slot: number; records: number; messages: readonly Said[] }
  /** Records that a pipeline dropped, in a committed transaction. */
  dropped: { slot: number; code: string; records: number }
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

/**
 * Publishes a shard's committed windows to Redis, beside the commit loop and never awaited by it: a coalescing dirty set,
 * one call in flight. Repeats are harmless; a wiped or absent Redis only delays (protocol P5).
 */

import type { EventBus } from '../cluster/events.ts'
import { pause } from '../cluster/kafka/failures.ts'
import type { Publication, ViewPublisher, ViewWindow } from '../cluster/redis/views.ts'
import { type Aggregates, encode, sizeOf } from '../pipelines/api/aggregates.ts'
import type { LedgerState, Window } from './ledger.ts'

export interface Committed {
  readonly state: LedgerState
  /** State offset of each window's record. */
  readonly offsets: ReadonlyMap<string, number>
  /** Epoch ms up to which this slot lets windows close for readers; asked at each publication. */
  readonly watermark: () => number
}

/** Between two calls: people look at numbers a few times a second at most. */
const REST_MS = 100
/** An idle shard asks so often whether Redis still holds its parts. */
const HEARTBEAT_MS = 2000
const RETRY_MS = 500
/** Parts live for a time only: what stands still is renewed long before. */
const REPEAT_MS = 3_600_000

export class Publisher {
  readonly #views: ViewPublisher
  readonly #aggregates: Aggregates
  readonly #events: EventBus
  readonly #slot: number
  readonly #stop = new AbortController()
  #latest: Committed | undefined
  #dirty = new Set<string>()
  #full = true
  #repeatAt = performance.now() + REPEAT_MS
  #wake: () => void = () => undefined
  #running: Promise<void> | undefined

  constructor(views: ViewPublisher, aggregates: Aggregates, slot: number, events: EventBus) {
    this.#views = views
    this.#aggregates = aggregates
    this.#slot = slot
    this.#events = events
  }

  /** Everything anew: at a takeover. */
  begin(committed: Committed): void {
    this.#latest = committed
    this.#full = true
    this.#running ??= this.#loop()
    this.#wake()
  }

  changed(committed: Committed, keys: readonly string[]): void {
    this.#latest = committed
    for (const key of keys) this.#dirty.add(key)
    if (keys.length > 0) this.#wake()
  }

  /** One last call, also where nothing is dirty: Redis may have been wiped since; then everything once more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#running
    if (this.#running !== undefined && (await this.#publish()) && this.#full) await this.#publish()
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const published = await this.#publish()
      if (performance.now() >= this.#repeatAt) {
        this.#full = true
        this.#repeatAt = performance.now() + REPEAT_MS
      }
      await pause(published ? REST_MS : RETRY_MS, this.#stop.signal)
      if (this.#dirty.size === 0 && !this.#full) await this.#woken()
    }
  }

  #woken(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, HEARTBEAT_MS)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** True where Redis took it. A fault of ours is told like one of Redis: views must never end a shard that commits. */
  async #publish(): Promise<boolean> {
    try {
      return await this.#publishDirty()
    } catch (error) {
      this.#full = true
      this.#events.emit('viewsFailed', { slot: this.#slot, reason: String(error) })
      return false
    }
  }

  async #publishDirty(): Promise<boolean> {
    const latest = this.#latest
    if (latest === undefined) return true
    const full = this.#full
    const keys = full ? [...latest.state.windows.keys()] : [...this.#dirty]
    this.#dirty = new Set()
    this.#full = false
    const started = performance.now()
    const reply = await this.#views.publish(this.#publication(latest, keys, full))
    if (reply.result === 'published') {
      if (keys.length > 0)
        this.#events.emit('viewsPublished', {
          slot: this.#slot,
          windows: keys.length,
          ms: performance.now() - started,
        })
      return true
    }
    if (reply.result === 'wiped') this.#full = true
    else {
      this.#full ||= full
      for (const key of keys) this.#dirty.add(key)
      this.#events.emit('viewsFailed', {
        slot: this.#slot,
        reason: reply.result === 'away' ? reply.reason : 'a newer state topic is published',
      })
    }
    return reply.result === 'wiped'
  }

  #publication(
    { state, offsets, watermark }: Committed,
    keys: readonly string[],
    full: boolean,
  ): Publication {
    const windows = keys.flatMap((key) => {
      const window = state.windows.get(key)
      return window === undefined ? [] : [this.#view(window, offsets.get(key) ?? -1)]
    })
    return { windows, watermark: watermark(), floors: this.#floors(state.watermark), full }
  }

  #view(window: Window, offset: number): ViewWindow {
    const { aggregate: name, size, start, value } = window
    const aggregate = this.#aggregates[name]
    if (aggregate === undefined) throw new Error(`a window of an unknown aggregate ${name}`)
    const lifeMs = aggregate.span === 'window' ? 2 * (aggregate.retention + aggregate.size) : 0
    return { aggregate: name, size, start, offset, value: encode(aggregate, value), lifeMs }
  }

  /** Aggregates of one size with several retentions keep the longest. */
  #floors(watermark: number): Record<string, number> {
    const floors: Record<string, number> = {}
    for (const aggregate of Object.values(this.#aggregates)) {
      if (aggregate.span !== 'window') continue
      const end = watermark - aggregate.retention
      const floor = Math.max(0, Math.floor(end / aggregate.size) * aggregate.size)
      const size = sizeOf(aggregate)
      floors[size] = Math.min(floors[size] ?? floor, floor)
    }
    return floors
  }
}

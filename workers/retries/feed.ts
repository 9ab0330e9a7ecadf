/**
 * Keeps the queue in step with the parked records of one slot, beside the commit loop and never awaited by it. What is
 * parked is put there after its commit; a takeover and a timer compare (reconcile.ts). Redis away only delays: nothing is
 * forgotten, the state topic holds it all.
 */

import { messageOf } from '../../cluster/errors.ts'
import type { EventBus } from '../../cluster/events.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { formatOrigin } from '../../cluster/protocol/headers.ts'
import { outlookOf, resultFrame, resultKey } from '../../cluster/protocol/retries.ts'
import type { RetryJob, RetryQueue } from '../../cluster/redis/retry-queue.ts'
import { parseTraceparent } from '../../cluster/trace.ts'
import type { Parked } from './parked.ts'
import type { ParkedRecords } from './parked-records.ts'
import { type Policy, waitAfter } from './policy.ts'
import { type Decision, decide, EXHAUSTED, isOverdue } from './reconcile.ts'
import type { Results } from './results.ts'

export interface FeedParts {
  readonly slot: number
  /** Of the input. */
  readonly topic: string
  readonly queue: RetryQueue
  readonly records: ParkedRecords
  readonly results: Results
  readonly policy: Policy
  /** ms */
  readonly grace: number
  readonly events: EventBus
}

/** Committed. */
export interface ParkedView {
  readonly parked: ReadonlyMap<string, Parked>
  /** By state key. */
  readonly offsets: ReadonlyMap<string, number>
}

const LOOK_MS = 1000
const RETRY_MS = 500
/** Asked of the queue in one look. */
const MOST = 2000

export class Feed {
  readonly #parts: FeedParts
  readonly #stop = new AbortController()
  /** Just parked: put without a question. */
  #fresh = new Set<string>()
  /** Of a takeover: nobody knows whether they have jobs. */
  #unknown = new Set<string>()
  /** performance.now() of the last question about a key. */
  readonly #asked = new Map<string, number>()
  #view: ParkedView = { parked: new Map(), offsets: new Map() }
  #wake: () => void = () => undefined
  #running: Promise<void> | undefined
  #told = ''

  constructor(parts: FeedParts) {
    this.#parts = parts
  }

  /** Everything is compared: at a takeover, and where results may have been lost. */
  begin(view: ParkedView): void {
    this.#view = view
    this.#fresh.clear()
    this.#asked.clear()
    this.#unknown = new Set(view.parked.keys())
    this.#running ??= this.#loop()
    this.#wake()
  }

  /** @param keys state keys of what a commit parked or settled */
  changed(view: ParkedView, keys: readonly string[]): void {
    this.#view = view
    for (const key of keys)
      if (view.parked.get(key)?.attempts === 1) this.#fresh.add(key)
      else this.#asked.delete(key)
    if (this.#fresh.size > 0) this.#wake()
  }

  /** What is not in the queue by now is put there by the next owner. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#running
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#putFresh()
        await this.#compare()
        this.#told = ''
        if (this.#fresh.size === 0) await this.#rest()
      } catch (error) {
        const reason = messageOf(error)
        if (reason !== this.#told) this.#parts.events.emit('retriesWait', { slot: this.#parts.slot, reason })
        this.#told = reason
        await pause(RETRY_MS, this.#stop.signal)
      }
    }
  }

  #rest(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #putFresh(): Promise<void> {
    const keys = [...this.#fresh]
    if (keys.length === 0) return
    const now = Date.now()
    await this.#parts.queue.put(this.#known(keys).map((parked) => this.#jobOf(parked, parked.due - now)))
    for (const key of keys) this.#fresh.delete(key)
  }

  #known(keys: readonly string[]): Parked[] {
    return keys.flatMap((key) => this.#view.parked.get(key) ?? [])
  }

  #keyed(keys: Iterable<string>): [string, Parked][] {
    return [...keys].flatMap((key) => {
      const parked = this.#view.parked.get(key)
      return parked === undefined ? [] : [[key, parked]]
    })
  }

  async #compare(): Promise<void> {
    const timing = { now: Date.now(), grace: this.#parts.grace }
    for (const key of this.#unknown) if (!this.#view.parked.has(key)) this.#unknown.delete(key)
    const wanted = this.#unknown.size > 0 ? this.#keyed(this.#unknown) : this.#overdue(timing)
    const asked = wanted.slice(0, MOST)
    if (asked.length === 0) return
    const states = await this.#parts.queue.states(asked.map(([, parked]) => parked))
    const decisions = asked.map(([key, parked], i) => {
      const isNew = this.#unknown.has(key)
      return {
        key,
        parked,
        decision: decide(parked, states[i] ?? 'missing', this.#parts.policy, timing, isNew),
      }
    })
    await this.#act(decisions)
    const at = performance.now()
    for (const { key } of decisions) {
      this.#unknown.delete(key)
      this.#asked.set(key, at)
    }
    if (this.#unknown.size > 0) return this.#compare()
  }

  /** A key is asked about once a grace: the queue answers for thousands after it was away. */
  #overdue(timing: { readonly now: number; readonly grace: number }): [string, Parked][] {
    const since = performance.now() - timing.grace
    for (const [key, at] of this.#asked) if (at < since) this.#asked.delete(key)
    return [...this.#view.parked].filter(
      ([key, parked]) => isOverdue(parked, timing) && !this.#asked.has(key) && !this.#fresh.has(key),
    )
  }

  async #act(decisions: readonly { readonly parked: Parked; readonly decision: Decision }[]): Promise<void> {
    const of = (wanted: Decision) =>
      decisions.filter(({ decision }) => decision === wanted).map(({ parked }) => parked)
    const [requeued, counted, ended] = [of('requeue'), of('count'), of('end')]
    const now = Date.now()
    const again = counted.map((parked) => this.#spent(parked, now))
    await Promise.all([
      ...again.map((parked) => this.#note(parked)),
      ...ended.map((parked) => this.#end(parked)),
    ])
    const jobs = [...requeued, ...again].map((parked) => this.#jobOf(parked, parked.due - now))
    await this.#parts.queue.replace(jobs)
    if (jobs.length + ended.length > 0)
      this.#parts.events.emit('requeued', { slot: this.#parts.slot, jobs: jobs.length, ended: ended.length })
  }

  #spent(parked: Parked, now: number): Parked {
    const attempts = parked.attempts + 1
    return { ...parked, attempts, due: now + waitAfter(this.#parts.policy, attempts, Math.random()) }
  }

  /** Goes the way of every result: the shard counts it in its order. */
  #note({ partition, offset, park, attempts, due }: Parked): Promise<void> {
    const message = 'a run was begun and never ended'
    const value = resultFrame({ park, attempt: attempts, outcome: 'retry', code: EXHAUSTED, message, due })
    return this.#send(partition, offset, value)
  }

  async #end({ partition, offset, park, attempts, code }: Parked): Promise<void> {
    const stateOffset = this.#offsetOf(partition, offset)
    const found =
      stateOffset === undefined ? undefined : await this.#parts.records.read(this.#parts.slot, stateOffset)
    if (found?.head.park !== park) return
    const head = {
      park,
      attempt: attempts,
      outcome: 'dead',
      code: EXHAUSTED,
      message: `last seen: ${code}`,
      trace: found.head.trace,
    } as const
    await this.#send(partition, offset, resultFrame(head, '', found.record))
  }

  #send(partition: number, offset: number, value: Buffer): Promise<void> {
    return this.#parts.results.send({ slot: this.#parts.slot, key: resultKey(partition, offset), value })
  }

  #offsetOf(partition: number, offset: number): number | undefined {
    return this.#view.offsets.get(`retry/${partition}/${offset}`)
  }

  #jobOf(parked: Parked, delayMs: number): RetryJob {
    const { partition, offset, park, attempts, code, message, key, preview } = parked
    const { slot, topic, policy } = this.#parts
    const context = parseTraceparent(parked.trace ?? '')
    const origin = formatOrigin({ topic, partition, offset })
    const stateOffset = this.#offsetOf(partition, offset) ?? -1
    const place = { partition, offset, slot, stateOffset, park, runsBefore: attempts }
    const outlook = outlookOf(attempts + 1, policy.attempts, parked.due)
    const shown = {
      origin,
      key,
      preview,
      code,
      message,
      ...(context?.sampled && { traceId: context.traceId }),
    }
    const data = { ...shown, ...outlook, ...place }
    return { data, delayMs, runs: policy.attempts - attempts }
  }
}

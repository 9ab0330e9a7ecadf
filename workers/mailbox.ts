/**
 * What one shard has read and not yet committed, in the order it was read: the only queue of the data path.
 * Bounded in records and bytes; full means that the input is left out of the next fetch.
 * States of an entry: waiting -> running (in the pool) -> ready -> gone (committed).
 */
import type { Chunk } from '../cluster/kafka/ports.ts'
import type { Budget } from './budget.ts'
import type { Returned } from './retries/parked.ts'
import { NO_OVERRIDES, type Overrides, type Task, type TaskResult } from './task.ts'

/** When an entry passed each step, performance.now(); 0 before. */
export interface EntryTimes {
  readonly taken: number
  handed: number
  finished: number
}

export interface Entry {
  /** Kept until the commit: after a thread's death it is the only copy. */
  readonly chunk: Chunk
  state: 'waiting' | 'running' | 'ready'
  /** Undefined for a chunk without visible records, which is ready at once. */
  result: TaskResult | undefined
  overrides: Overrides
  readonly times: EntryTimes
  /** Of an entry that is made of results of retries. */
  readonly settled?: Task['settled']
  readonly returned?: Returned
}

export const timesNow = (): EntryTimes => ({ taken: performance.now(), handed: 0, finished: 0 })

export interface MailboxLimits {
  readonly records: number
  readonly bytes: number
  /** Entries that may be running or ready ahead of the commit. */
  readonly ahead: number
  /** Of all shards together. */
  readonly budget?: Budget
}

export class Mailbox {
  readonly #limits: MailboxLimits
  #entries: Entry[] = []
  #records = 0
  #bytes = 0

  constructor(limits: MailboxLimits) {
    this.#limits = limits
  }

  get full(): boolean {
    const { records, bytes, budget } = this.#limits
    if (this.#records >= records || this.#bytes >= bytes) return true
    return budget?.spent === true && !this.empty
  }
  get empty(): boolean {
    return this.#entries.length === 0
  }
  get records(): number {
    return this.#records
  }
  get bytes(): number {
    return this.#bytes
  }
  get running(): number {
    return this.#entries.reduce((sum, entry) => sum + (entry.state === 'running' ? 1 : 0), 0)
  }

  push(chunk: Chunk): void {
    const state = chunk.records === 0 ? 'ready' : 'waiting'
    this.#entries.push({ chunk, state, result: undefined, overrides: NO_OVERRIDES, times: timesNow() })
    this.#records += chunk.records
    this.#bytes += chunk.bytes.length
    this.#limits.budget?.take(chunk.bytes.length)
  }

  /** The next entry for the pool, now running; undefined where none waits or enough are ahead. */
  takeWaiting(): Entry | undefined {
    const ahead = this.#entries.reduce(
      (sum, entry) => sum + (entry.state === 'waiting' || entry.chunk.records === 0 ? 0 : 1),
      0,
    )
    if (ahead >= this.#limits.ahead) return undefined
    const entry = this.#entries.find((one) => one.state === 'waiting')
    if (entry !== undefined) entry.state = 'running'
    return entry
  }

  /** Ready entries with nothing unfinished before them in their partition, in order, up to that many bytes (at least one). */
  ready(maxBytes: number): Entry[] {
    const blocked = new Set<number>()
    const found: Entry[] = []
    let bytes = 0
    for (const entry of this.#entries) {
      const { partition } = entry.chunk
      if (entry.state !== 'ready' || blocked.has(partition)) {
        blocked.add(partition)
        continue
      }
      bytes += entry.chunk.bytes.length
      if (found.length > 0 && bytes > maxBytes) break
      found.push(entry)
    }
    return found
  }

  /** Committed: nobody reads them again. */
  remove(entries: readonly Entry[]): void {
    const gone = new Set(entries)
    this.#keep((entry) => !gone.has(entry))
    for (const { chunk } of gone) chunk.release?.()
  }

  /** Throws away what no thread has begun, of one partition or all: a release drains the rest only. */
  dropWaiting(only?: number): void {
    const stopped = new Set<number>()
    this.#keep(({ state, chunk: { partition } }) => {
      if (state === 'waiting' && (only ?? partition) === partition) stopped.add(partition)
      return !stopped.has(partition)
    })
  }

  /** Where the next chunk of a partition begins; undefined where nothing of it is here. */
  endOf(partition: number): number | undefined {
    return this.#entries.findLast(({ chunk }) => chunk.partition === partition)?.chunk.next
  }

  clear(): void {
    this.#keep(() => false)
  }

  #keep(keeps: (entry: Entry) => boolean): void {
    const before = this.#bytes
    this.#entries = this.#entries.filter(keeps)
    this.#records = this.#entries.reduce((sum, entry) => sum + entry.chunk.records, 0)
    this.#bytes = this.#entries.reduce((sum, entry) => sum + entry.chunk.bytes.length, 0)
    this.#limits.budget?.take(this.#bytes - before)
  }
}

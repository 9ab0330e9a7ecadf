/**
 * The commits of one shard: when the next transaction begins, what it holds, and what the ledger says after it.
 * One at a time. The state changes only when a transaction is known to be committed.
 */

import { messageOf } from '../cluster/errors.ts'
import type { TransactResult, Writer } from '../cluster/kafka/ports.ts'
import type { Flush } from './batches.ts'
import { type CommitParts, partsOf, stateOffsets } from './commit.ts'
import { type Advance, advance, EMPTY, type Finished, isOutdated, type LedgerState } from './ledger.ts'
import type { Entry, Mailbox } from './mailbox.ts'
import type { Returns } from './retries/returns.ts'
import type { SlotContext } from './slot.ts'

export interface Commit {
  readonly entries: readonly Entry[]
  readonly advance: Advance
  readonly content: CommitParts
  /** performance.now() at its begin. */
  readonly started: number
}

/** A position that only passed invisible batches is committed so often. */
const IDLE_COMMIT_MS = 1000

export class Commits {
  readonly #context: SlotContext
  readonly #mailbox: Mailbox
  readonly #returns: Returns
  #state: LedgerState = EMPTY
  #offsets = new Map<string, number>()
  #open: Commit | undefined
  #readySince: number | undefined
  #flush: Flush | undefined
  /** performance.now() of the last commit; before the first, an idle position is due at once. */
  #last = Number.NEGATIVE_INFINITY

  constructor(context: SlotContext, mailbox: Mailbox, returns: Returns) {
    this.#context = context
    this.#mailbox = mailbox
    this.#returns = returns
  }

  get state(): LedgerState {
    return this.#state
  }
  /** State offset of the record of each window and of each parked record. */
  get offsets(): ReadonlyMap<string, number> {
    return this.#offsets
  }
  get busy(): boolean {
    return this.#open !== undefined
  }

  /** What a takeover found. A transaction under way belongs to the past. */
  adopt(state: LedgerState, offsets: ReadonlyMap<string, number>): void {
    this.#state = state
    this.#offsets = new Map(offsets)
    this.#open = undefined
    this.#readySince = undefined
  }

  /** What waits in an unfilled batch is published by the next commit. An order that was carried out before changes nothing. */
  flush(order: Flush): void {
    if (this.#context.insights !== undefined) this.#flush = order
  }
  get #isOrdered(): boolean {
    return this.#flush !== undefined && this.#flush.id !== this.#state.batches?.flushed
  }

  /** Results of retries have their own share: a full input does not hold them back. */
  #ready(): Entry[] {
    const { commitBytes } = this.#context.settings
    return [...this.#mailbox.ready(commitBytes), ...this.#returns.ready(commitBytes)]
  }

  /** 0: begin now; more: ask again after so many ms; undefined: nothing is ready. */
  due(now: number, draining: boolean): number | undefined {
    if (this.busy) return undefined
    if (this.#isOrdered) return 0
    const ready = this.#ready()
    if (ready.length === 0) return undefined
    if (draining) return 0
    if (ready.every((entry) => entry.result === undefined))
      return Math.max(0, this.#last + IDLE_COMMIT_MS - now)
    this.#readySince ??= now
    const bytes = ready.reduce((sum, entry) => sum + entry.chunk.bytes.length, 0)
    if (this.#mailbox.running + this.#returns.running === 0 || bytes >= this.#context.settings.commitBytes)
      return 0
    return Math.max(0, this.#readySince + this.#context.settings.commitInterval - now)
  }

  /**
   * Entries that earlier commits have outdated (a window they folded into has closed) are handed back instead:
   * they run again under the present watermark. A pipeline whose insights cannot be worded is broken: only a person can mend it.
   */
  begin(
    now: number,
  ): { readonly commit: Commit } | { readonly outdated: readonly Entry[] } | { readonly broken: string } {
    const entries = this.#ready()
    const { aggregates, names, slot, maxStateBytes, insights } = this.#context
    const outdated = entries.filter(
      (entry) => entry.result !== undefined && isOutdated(this.#state, aggregates, entry.result),
    )
    if (outdated.length > 0) return { outdated }
    const wall = Date.now()
    const results = entries.flatMap((entry) => entry.result ?? [])
    const target = { names, slot, maxStateBytes, now: wall }
    try {
      const work = insights && { rules: insights.rules, slot, flush: this.#flush }
      const next = advance(this.#state, aggregates, entries.map(finished), wall, work)
      const published = insights && { to: insights, batches: next.published }
      const content = partsOf(results, next.records, target, published)
      this.#open = { entries, advance: next, content, started: now }
    } catch (error) {
      if (insights === undefined) throw error
      return { broken: messageOf(error) }
    }
    this.#readySince = undefined
    return { commit: this.#open }
  }

  transact(writer: Writer, commit: Commit): Promise<TransactResult> {
    return writer.transact(commit.content.parts)
  }

  /** The transaction is known to be committed. */
  apply(commit: Commit, partOffsets: readonly number[], now: number): void {
    const { content, advance: next, entries } = commit
    const stateParts = content.parts.slice(content.stateFrom)
    const written = stateOffsets(next.records, stateParts, partOffsets.slice(content.stateFrom))
    this.#state = next.state
    for (const key of next.changed) {
      const offset = next.state.windows.has(key) ? written.get(key) : undefined
      if (offset === undefined) this.#offsets.delete(key)
      else this.#offsets.set(key, offset)
    }
    for (const key of next.parked) {
      const offset = written.get(key)
      if (!next.state.parked.has(key)) this.#offsets.delete(key)
      else if (offset !== undefined) this.#offsets.set(key, offset)
    }
    this.#mailbox.remove(entries)
    this.#returns.remove(entries)
    this.#open = undefined
    this.#last = now
  }

  /** The transaction is known not to be: its entries stay ready. */
  cancel(): void {
    this.#open = undefined
  }
}

const finished = ({ chunk, result, returned }: Entry): Finished => ({
  partition: chunk.partition,
  from: chunk.from,
  next: chunk.next,
  leaderEpoch: chunk.leaderEpoch,
  result,
  returned,
})

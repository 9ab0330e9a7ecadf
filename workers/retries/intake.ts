/**
 * The shard's side of retries: what is parked, whether that is too much, and the results that come back. Lives inside the
 * shard's actor; it judges results in their order and hands them to the commits through `returns`.
 */
import type { Chunk, ReadFault } from '../../cluster/kafka/ports.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { LedgerState } from '../ledger.ts'
import { Judge } from './judge.ts'
import { parkedBytes } from './parked.ts'
import type { ShardRetries } from './retries.ts'
import { Returns } from './returns.ts'

interface Committed {
  readonly state: LedgerState
  readonly offsets: ReadonlyMap<string, number>
}

export interface IntakeSink {
  /** Acts in the shard's turn, where it is still the same incarnation. */
  readonly current: (act: () => void | Promise<void>) => void
  readonly taken: () => void
  readonly halt: (code: string, detail: string) => void
}

/** Entries of results that may be in the pool at a time: their share of it. */
const AHEAD = 2
/** Of the mailbox's bytes, what results may take beside it. */
const SHARE = 0.25

type Caps = Pick<Settings, 'parkedRecords' | 'parkedBytes' | 'mailboxBytes'>

export class Intake {
  readonly returns: Returns
  /** Takes turns of its own in the pool. */
  readonly owner: number
  readonly #slot: number
  readonly #caps: Caps
  readonly #parts: ShardRetries
  readonly #judge = new Judge()
  #committed: Committed | undefined
  #bytes = 0
  #next = 0

  constructor(slot: number, caps: Caps, parts: ShardRetries) {
    this.#slot = slot
    this.#caps = caps
    this.#parts = parts
    // Below the owner of the runs themselves.
    this.owner = -2 - slot
    this.returns = new Returns({ bytes: caps.mailboxBytes * SHARE, ahead: AHEAD }, this.#judge)
  }

  get #count(): number {
    return this.#committed?.state.parked.size ?? 0
  }
  get isCapped(): boolean {
    return this.#count >= this.#caps.parkedRecords || this.#bytes >= this.#caps.parkedBytes
  }
  /** Why the input waits; empty where it does not. */
  get waitsFor(): string {
    if (!this.isCapped) return ''
    return `${this.#count} parked records of ${this.#bytes} bytes reach the cap: the input waits for their retries`
  }

  /** After a takeover. */
  adopt(committed: Committed): void {
    this.#know(committed)
    this.#next = Math.max(0, ...[...committed.state.positions.values()].map(({ retried }) => retried))
    this.#judge.adopt(committed.state.parked)
    this.#parts.feed.begin({ parked: committed.state.parked, offsets: committed.offsets })
  }

  /** @param keys of parked records that the commit changed */
  committed(committed: Committed, keys: readonly string[]): void {
    if (keys.length === 0) return
    this.#know(committed)
    const { parked } = committed.state
    for (const key of keys) {
      const now = parked.get(key)
      if (now?.attempts === 1) this.#judge.parked(key, now)
    }
    this.#parts.feed.changed({ parked, offsets: committed.offsets }, keys)
  }

  /** Halted or fenced: another one looks after what is parked, or nobody does. */
  forget(): void {
    this.#committed = undefined
    this.#parts.feed.begin({ parked: new Map(), offsets: new Map() })
  }

  #know({ state, offsets }: Committed): void {
    this.#committed = { state, offsets }
    this.#bytes = parkedBytes(state.parked)
  }

  open(sink: IntakeSink): void {
    this.#parts.reader.open(this.#slot, this.#next, {
      wants: () => !this.returns.full,
      chunk: (chunk) => sink.current(() => this.#take(chunk, sink)),
      fault: (fault) => sink.current(() => this.#fault(fault, sink)),
    })
  }

  #take(chunk: Chunk, sink: IntakeSink): void {
    const [home] = this.#committed?.state.positions.keys() ?? []
    // A slot without partitions has parked nothing.
    if (home === undefined) return
    this.returns.push(chunk, home)
    sink.taken()
  }

  /** Results that are gone were views of a run: what is parked runs again. */
  async #fault({ fault, detail }: ReadFault, sink: IntakeSink): Promise<void> {
    if (fault !== 'position-gap' && fault !== 'topic-recreated') return sink.halt(fault, detail)
    this.#next = await this.#parts.start()
    if (this.#committed !== undefined)
      this.#parts.feed.begin({ parked: this.#committed.state.parked, offsets: this.#committed.offsets })
    this.open(sink)
  }
}

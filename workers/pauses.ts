/** How long a shard has read no input, by reason: what was seen at one look holds until the next. */
import type { PauseReason } from '../cluster/measures.ts'

export class Pauses {
  readonly #total: Record<PauseReason, number> = { mailbox: 0, parked: 0 }
  #reason: PauseReason | undefined
  #at = 0

  /** @param reason why no input is wanted now; absent: it is. @param now performance.now() */
  look(reason: PauseReason | undefined, now: number): void {
    if (this.#reason !== undefined) this.#total[this.#reason] += now - this.#at
    this.#reason = reason
    this.#at = now
  }

  /** ms in all. */
  totals(now: number): Readonly<Record<PauseReason, number>> {
    this.look(this.#reason, now)
    return { ...this.#total }
  }
}

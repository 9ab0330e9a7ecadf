/**
 * Looks every few seconds whether the slots of a worker move (progress.ts judges), and asks Kafka itself where the input ends:
 * what a fetch that never returns would not tell. A slot that stands still is handed to `stalled`; the others go on undisturbed.
 */
import type { Cancel, Clock } from '../cluster/actor/clock.ts'
import { pause } from '../cluster/kafka/failures.ts'
import { Progress, type SlotProgress, type StallRules } from './progress.ts'

export interface LivenessParts {
  readonly clock: Clock
  readonly rules: StallRules
  readonly slots: () => readonly SlotProgress[]
  /** Tells the shards where their partitions end. Rejects where that cannot be had. */
  readonly askEnds: () => Promise<void>
  /** Rejects where no broker answers at all. */
  readonly askAnybody: () => Promise<void>
  readonly stalled: (slot: number, ms: number) => void
}

const LOOK_MS = 5000
/** A broker that is busy answers late: that is no absence. */
const PATIENCE_MS = 5000

export class Liveness {
  readonly #parts: LivenessParts
  readonly #progress: Progress
  readonly #every: number
  #cancel: Cancel
  /** Begin of the first look that no broker answered, since one did. */
  #awaySince: number | undefined
  #stopped = false

  constructor(parts: LivenessParts) {
    this.#parts = parts
    this.#progress = new Progress(parts.rules)
    this.#every = Math.min(LOOK_MS, parts.rules.stallTimeout / 6)
    this.#cancel = parts.clock.after(this.#every, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { clock, slots, askEnds, askAnybody, stalled } = this.#parts
    const begun = clock.now()
    const isKnown = await this.#answered(askEnds)
    const isSeen = isKnown || (await this.#answered(askAnybody))
    const now = clock.now()
    if (this.#stopped) return
    this.#awaySince = isSeen ? undefined : (this.#awaySince ?? begun)
    // A process that stood still itself has no say about its slots.
    const stoodStill = now - begun > 4 * PATIENCE_MS
    this.#progress.look(slots(), now, !isKnown || stoodStill)
    const still = this.#progress.still(now)
    for (const slot of this.#progress.stalled(now)) {
      this.#progress.forgive(slot)
      stalled(slot, still.get(slot) ?? 0)
    }
    this.#cancel = clock.after(this.#every, () => void this.#look())
  }

  async #answered(ask: () => Promise<void>): Promise<boolean> {
    const patience = new AbortController()
    const late = pause(PATIENCE_MS, patience.signal).then(() => false)
    const answer = ask().then(
      () => true,
      () => false,
    )
    const answered = await Promise.race([answer, late])
    patience.abort()
    return answered
  }

  /** For how long no broker has answered, ms; 0 where one did when last asked. */
  kafkaAwayMs(): number {
    return this.#awaySince === undefined ? 0 : this.#parts.clock.now() - this.#awaySince
  }

  /** For how long each slot that does not move has stood still, ms. */
  still(): ReadonlyMap<number, number> {
    return this.#progress.still(this.#parts.clock.now())
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
  }
}

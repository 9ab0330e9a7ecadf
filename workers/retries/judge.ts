/**
 * Which results of retries count. They are judged in the order of the retried topic, which is the order they are committed
 * in, against the speculative set: what is parked, minus what an accepted result is about to settle. Pure but for that set.
 *
 * Laws: of a parked record the first result that settles it is accepted, no other ever; a failed run is noted only where
 * its number is higher than any noted before; another park id, or an offset that is not parked, is ignored.
 */
import type { RunResult } from '../../cluster/protocol/retries.ts'
import { stateKey } from '../../cluster/protocol/state.ts'
import type { Parked } from './parked.ts'

export type Verdict = 'settles' | 'tried' | 'ignored'

type Open = Pick<Parked, 'park' | 'attempts'>

export class Judge {
  #open = new Map<string, Open>()

  /** After a takeover: nothing is in flight. */
  adopt(parked: ReadonlyMap<string, Parked>): void {
    this.#open = new Map(parked)
  }

  /** Committed: parked from here on. What is known already stays: a later result may have been judged meanwhile. */
  parked(key: string, parked: Open): void {
    this.#open.set(key, parked)
  }

  judge({ partition, offset, head }: Pick<RunResult, 'partition' | 'offset' | 'head'>): Verdict {
    const key = stateKey.retry(partition, offset)
    const open = this.#open.get(key)
    if (open === undefined || open.park !== head.park) return 'ignored'
    if (head.outcome !== 'retry') {
      this.#open.delete(key)
      return 'settles'
    }
    if (head.attempt <= open.attempts) return 'ignored'
    this.#open.set(key, { park: open.park, attempts: head.attempt })
    return 'tried'
  }
}

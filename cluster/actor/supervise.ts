/**
 * A parent's care for one child: start it, and when it fails start it again after a backoff, within the budget;
 * beyond it `stopped` tells why, and the parent's own parent decides. A child that stops by itself is not restarted.
 */
import { type Backoff, backoffMs } from './backoff.ts'
import { type Budget, spend } from './budget.ts'
import type { Cancel, Clock } from './clock.ts'

/** Whatever can be stopped and says how it ended: an actor, a shard. */
export interface Child {
  stop(): Promise<void>
  readonly stopped: Promise<{ readonly why: 'stopped' } | { readonly why: 'failed'; readonly error: unknown }>
}

export type Surrender =
  | { readonly why: 'stopped' }
  /** The budget is spent; `error` is the last failure. */
  | { readonly why: 'gave-up'; readonly error: unknown }

export interface Supervised {
  stop(): Promise<void>
  /** The child failed without saying so, and may never end: it is let go of, and counts as failed. */
  replace(error: Error): void
  readonly stopped: Promise<Surrender>
}

export interface Care {
  readonly start: () => Child
  readonly budget: Budget
  readonly backoff: Backoff
  readonly clock: Clock
  readonly onRestart?: (error: unknown, waitMs: number) => void
  readonly random?: () => number
}

export const supervise = (care: Care): Supervised => {
  const end = Promise.withResolvers<Surrender>()
  let spent: readonly number[] = []
  let child: Child | undefined
  let cancel: Cancel = () => {}
  let stopping = false

  const failed = (error: unknown) => {
    const verdict = spend(care.budget, spent, care.clock.now())
    spent = verdict.spent
    if (!verdict.granted) return end.resolve({ why: 'gave-up', error })
    const waitMs = backoffMs(care.backoff, spent.length, (care.random ?? Math.random)())
    care.onRestart?.(error, waitMs)
    cancel = care.clock.after(waitMs, begin, 'holds')
  }
  const begin = () => {
    const started = care.start()
    child = started
    void started.stopped.then((ending) => {
      if (child !== started) return
      child = undefined
      if (stopping || ending.why === 'stopped') return end.resolve({ why: 'stopped' })
      failed(ending.error)
    })
  }
  begin()
  return {
    stopped: end.promise,
    replace(error) {
      if (stopping || child === undefined) return
      child = undefined
      failed(error)
    },
    async stop() {
      stopping = true
      cancel()
      if (child === undefined) end.resolve({ why: 'stopped' })
      else await child.stop()
      await end.promise
    },
  }
}

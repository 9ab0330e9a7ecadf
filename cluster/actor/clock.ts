/**
 * Time as a port, so that leases, membership and plan loops also run on virtual time.
 * `now` is monotonic (it goes on while the process is frozen, and no one can set it back): durations and trust
 * windows are measured with it. `wall` is for people and for what other machines compare.
 */
import { setTimeout as wait } from 'node:timers'

export type Cancel = () => void

export interface Clock {
  /** Milliseconds of this process's monotonic clock. */
  now(): number
  /** Epoch milliseconds. */
  wall(): number
  /** Runs `fn` once. Only a timer that `holds` keeps the process alive by itself. */
  after(ms: number, fn: () => void, holds?: 'holds'): Cancel
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fn, holds) {
    const timer = wait(fn, ms)
    if (holds === undefined) timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms`, or at once when the signal aborts. */
export const sleep = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done, 'holds')
    signal?.addEventListener('abort', done)
  })

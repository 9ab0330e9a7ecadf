/** Time that stands until it is told to go: timers run in the order of their due time, then of their making. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../cluster/actor/clock.ts'

export interface VirtualClock extends Clock {
  /** Goes on by `ms`, running what falls due, and lets promises settle after each timer. */
  advance(ms: number): Promise<void>
  /** The process stands still: time has passed, and no timer has run yet. */
  freeze(ms: number): void
}

const EPOCH = Date.UTC(2026, 0, 1)

export const virtualClock = (): VirtualClock => {
  let now = 0
  let made = 0
  const timers = new Map<number, { readonly due: number; readonly fn: () => void }>()
  const earliest = (until: number) =>
    [...timers]
      .filter(([, timer]) => timer.due <= until)
      .sort((a, b) => a[1].due - b[1].due || a[0] - b[0])[0]
  return {
    now: () => now,
    wall: () => EPOCH + now,
    after(ms, fn) {
      made += 1
      const id = made
      timers.set(id, { due: now + Math.max(0, ms), fn })
      return () => timers.delete(id)
    },
    freeze(ms) {
      now += ms
    },
    async advance(ms) {
      const until = now + ms
      await setImmediate()
      for (let next = earliest(until); next !== undefined; next = earliest(until)) {
        const [id, timer] = next
        timers.delete(id)
        now = Math.max(now, timer.due)
        timer.fn()
        await setImmediate()
      }
      now = until
    },
  }
}

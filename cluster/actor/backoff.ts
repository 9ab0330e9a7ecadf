/** How long to wait before try `attempt` (1 is the first repeat): doubling, capped, with jitter so that many do not meet. */
export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

/** `random` in [0, 1): the wait lies between half of the step and the whole of it. */
export const backoffMs = (backoff: Backoff, attempt: number, random: number): number => {
  const step = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(30, Math.max(0, attempt - 1)))
  return Math.round(step * (0.5 + random / 2))
}

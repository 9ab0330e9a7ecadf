/**
 * How many records may have spans of their own: so many a second in one worker process, so many in one task. Sampling says
 * which share of the records is of interest; this says what the process can afford at full load.
 */
const PER_SECOND = 50
const BURST = 50
const PER_TASK = 8

export class TraceBudget {
  #tokens = BURST
  #at: number

  /** @param now performance.now() */
  constructor(now: number) {
    this.#at = now
  }

  /** What a task may use. */
  offer(now: number): number {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#at) * PER_SECOND) / 1000)
    this.#at = now
    return Math.min(PER_TASK, Math.max(0, Math.floor(this.#tokens)))
  }

  /** What it has used. Tasks of several threads may overdraw a little; the next ones wait for that. */
  spend(records: number): void {
    this.#tokens -= records
  }
}

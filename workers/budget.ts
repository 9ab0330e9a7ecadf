/**
 * Bytes that all shards of one worker have read and not committed: what bounds its memory, however many slots it hosts.
 * Law: a shard that holds nothing is never held back, so that no shard starves and each makes progress.
 */
export class Budget {
  readonly #limit: number
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get spent(): boolean {
    return this.#used >= this.#limit
  }

  /** Negative gives back. */
  take(bytes: number): void {
    this.#used += bytes
  }
}

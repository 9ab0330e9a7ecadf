/** Rates of one shard over the last seconds, for its report. */
const WINDOW_MS = 5000

interface Sample {
  readonly at: number
  readonly records: number
  readonly cpuMs: number
}

export class Meter {
  #samples: Sample[] = []
  #cpuMs = 0

  /** Thread time of a finished batch, ms. */
  cpu(ms: number): void {
    this.#cpuMs += ms
  }

  /** At a commit. @param at performance.now() */
  commit(at: number, records: number): void {
    const [oldest] = this.#samples
    // Now and then, so that a commit does not copy the samples of five seconds.
    if (oldest !== undefined && oldest.at <= at - 2 * WINDOW_MS) this.#forget(at)
    this.#samples.push({ at, records, cpuMs: this.#cpuMs })
    this.#cpuMs = 0
  }

  get samples(): number {
    return this.#samples.length
  }

  rates(at: number): { readonly recordsPerSecond: number; readonly cpuMsPerSecond: number } {
    this.#forget(at)
    const total = (pick: (sample: Sample) => number) =>
      (this.#samples.reduce((sum, sample) => sum + pick(sample), 0) * 1000) / WINDOW_MS
    return {
      recordsPerSecond: total((sample) => sample.records),
      cpuMsPerSecond: total((sample) => sample.cpuMs),
    }
  }

  #forget(at: number): void {
    this.#samples = this.#samples.filter((sample) => sample.at > at - WINDOW_MS)
  }
}

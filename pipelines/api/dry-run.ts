/** Record values in, one line of JSON each out: the threads' own code without a broker. */
import { type Aggregates, emptyValue, finalize, merge, sizeOf, type Value } from './aggregates.ts'
import type { Input } from './define.ts'
import { eventTimeOf, type Prepared, type Result } from './execute.ts'
import type { Folder, WindowPart } from './folder.ts'

export interface DryRunOptions {
  /** The clock, epoch ms. */
  readonly now: () => number
  /** Aborts when nobody waits for the rest. */
  readonly signal: AbortSignal
}

export class DryRun {
  readonly #prepared: Prepared
  readonly #options: DryRunOptions
  readonly #folder: Folder
  #offset = 0

  constructor(prepared: Prepared, options: DryRunOptions) {
    this.#prepared = prepared
    this.#options = options
    this.#folder = prepared.folder({ watermark: 0, now: options.now() })
  }

  /** `value` null is a tombstone. */
  async line(value: Buffer | null): Promise<string> {
    const now = this.#options.now()
    const result = await this.#prepared.run(value, 0, value?.length ?? 0, this.#input(now))
    if (result.outcome === 'done')
      this.#folder.add(result.value, eventTimeOf(this.#prepared.pipeline, result.value, now))
    return lineOf(result)
  }

  /** Insights are the windows in their order, aggregates all windows of one together. */
  insights(): string {
    const { windows } = this.#folder.take()
    const { aggregates = {} } = this.#prepared.pipeline
    return JSON.stringify({
      insights: insightsOf(aggregates, windows),
      aggregates: Object.fromEntries(totalsOf(aggregates, windows)),
    })
  }

  #input(now: number): Input {
    const origin = { topic: this.#prepared.pipeline.topics.input, partition: 0, offset: this.#offset++ }
    return { key: null, headers: [], timestamp: now, origin, now, attempt: 1, signal: this.#options.signal }
  }
}

/** A done value is printed as it would be written. */
const lineOf = (result: Result): string =>
  result.outcome === 'done'
    ? `{"outcome":"done","code":null,"value":${result.json}}`
    : JSON.stringify({ outcome: result.outcome, code: result.code, value: null })

const insightsOf = (aggregates: Aggregates, windows: readonly WindowPart[]) =>
  [...windows]
    .sort((a, b) => a.start - b.start)
    .flatMap(({ aggregate: name, start, value }) => {
      const aggregate = aggregates[name]
      if (aggregate === undefined) return []
      const window = aggregate.span === 'total' ? null : new Date(start).toISOString()
      return [{ aggregate: name, size: sizeOf(aggregate), window, value: finalize(aggregate, value) }]
    })

const totalsOf = (aggregates: Aggregates, windows: readonly WindowPart[]) =>
  Object.entries(aggregates).map(([name, aggregate]) => {
    const parts = windows.filter((window) => window.aggregate === name)
    const whole = parts.reduce<Value>((sum, { value }) => merge(aggregate, sum, value), emptyValue(aggregate))
    return [name, finalize(aggregate, whole)] as const
  })

/** Record values in, one line of JSON each out: the threads' own code without a broker. */
import { type Aggregates, emptyValue, finalize, merge, sizeOf, type Value } from './aggregates.ts'
import { batchRules, countRows, NO_REST, type Row, rowFields, rowOf } from './batches.ts'
import type { Input, JsonObject } from './define.ts'
import { errorClassOf, eventTimeOf, type Prepared, type Result } from './execute.ts'
import type { Folder, WindowPart } from './folder.ts'

export interface DryRunOptions {
  /** The clock, epoch ms. */
  readonly now: () => number
  /** Of the pipeline. */
  readonly options: JsonObject
  /** Aborts when nobody waits for the rest. */
  readonly signal: AbortSignal
}

export class DryRun {
  readonly #prepared: Prepared
  readonly #options: DryRunOptions
  readonly #folder: Folder
  readonly #rowFields: readonly string[] | undefined
  readonly #rows: Row[] = []
  #offset = 0

  constructor(prepared: Prepared, options: DryRunOptions) {
    this.#prepared = prepared
    this.#options = options
    this.#folder = prepared.folder({ watermark: 0, now: options.now() })
    this.#rowFields = rowFields(prepared.pipeline)
  }

  /** `value` null is a tombstone. */
  async line(value: Buffer | null): Promise<string> {
    const now = this.#options.now()
    const result = await this.#prepared.run(value, 0, value?.length ?? 0, this.#input(now))
    const { pipeline } = this.#prepared
    if (result.outcome === 'done') {
      this.#folder.add(result.value, eventTimeOf(pipeline, result.value, now))
      if (this.#rowFields !== undefined) this.#rows.push(rowOf(result.value, this.#rowFields))
    } else if (result.outcome === 'dead') this.#folder.error(errorClassOf(pipeline, result.code))
    return lineOf(result)
  }

  /** Insights are the windows in their order, aggregates all windows of one together, published what goes out by count. */
  insights(): string {
    const { aggregates = {} } = this.#prepared.pipeline
    const counted = this.#counted()
    const totals = [...(counted?.totals ?? [])].map(([aggregate, value]) => ({ aggregate, start: 0, value }))
    const windows = [...this.#folder.take().windows, ...totals]
    return JSON.stringify({
      insights: insightsOf(aggregates, windows),
      aggregates: Object.fromEntries(totalsOf(aggregates, windows)),
      ...(counted && { published: counted.batches.flatMap(({ messages }) => messages) }),
    })
  }

  #counted() {
    const { now, options } = this.#options
    const rules = batchRules(this.#prepared.pipeline, options)
    const circumstances = { rest: NO_REST, before: () => undefined, slot: 0, now: now(), flush: false }
    return rules && countRows(rules, this.#rows, circumstances)
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

/** Those of a batch alone are seen in what is published. */
const ofRecords = (aggregates: Aggregates) =>
  Object.entries(aggregates).filter(([, { span }]) => span !== 'batch')

const totalsOf = (aggregates: Aggregates, windows: readonly WindowPart[]) =>
  ofRecords(aggregates).map(([name, aggregate]) => {
    const parts = windows.filter((window) => window.aggregate === name)
    const whole = parts.reduce<Value>((sum, { value }) => merge(aggregate, sum, value), emptyValue(aggregate))
    return [name, finalize(aggregate, whole)] as const
  })

/**
 * `millrace/testing`: a pipeline on made-up records, through the threads' own code, without a broker.
 *
 *     const { outcomes, aggregates } = await run(pipeline, [{ id: '1', price: 10 }], { now, options: { rate: 2 } })
 *
 * The values are the records of one slot, one after the other. What only Kafka or a second run can tell is not here: sizes
 * that topics allow, time limits of threads, windows that closed long ago, what a `retry` comes to in the end.
 */
import type { Static, TObject } from 'typebox'
import type { AnyPipeline, JsonObject, Pipeline } from './api/define.ts'
import { type Prepared, prepare, type Result } from './api/execute.ts'
import { makeSecrets, optionVariable, resolveOptions } from './api/options.ts'
import type { Dead, Done, Drop, Retry } from './api/outcome.ts'
import { pipelineProblems } from './api/validate.ts'
import { type Findings, findingsOf, type Settled } from './testing/findings.ts'
import { inputsOf, type RecordInput, type RecordParts, type TestValue } from './testing/records.ts'

export type { Findings, ShownAggregates } from './testing/findings.ts'
export { type RecordParts, record, type TestRecord, type TestValue } from './testing/records.ts'

export interface RunOptions<O extends TObject = TObject> extends RecordParts {
  /** Epoch ms of processing; default: the clock. */
  readonly now?: number
  /** As the pipeline declares them, checked as in production. Secrets that are not given are made up. */
  readonly options?: Partial<Static<O>>
  /** What `ctx.signal` is; default: one that never aborts. */
  readonly signal?: AbortSignal
  /** Asynchronous steps under way at once, as MILLRACE_CONCURRENCY. */
  readonly concurrency?: number
  /** The insights of an unfilled batch are published too, as by `millrace insights --flush`. */
  readonly flush?: boolean
}

export type Outcome<V extends JsonObject = JsonObject> = Done<V> | Retry | Dead | Drop

export interface TestRun<V extends JsonObject = JsonObject> extends Findings {
  /** One a value, in their order. The value of `done` is read back from what would be written. */
  readonly outcomes: readonly Outcome<V>[]
}

const CONCURRENCY = 16

/** @throws MillraceError where an option is unknown, missing or does not fit, or `setup` fails */
export const run = async <S extends TObject, O extends TObject, R, V extends JsonObject>(
  pipeline: Pipeline<S, O, R, V>,
  values: readonly TestValue[],
  circumstances: RunOptions<O> = {},
): Promise<TestRun<V>> => {
  const { options: given = {}, now = Date.now(), flush = false, concurrency = CONCURRENCY } = circumstances
  const { signal = new AbortController().signal, ...parts } = circumstances
  const problems = pipelineProblems(pipeline)
  if (problems.length > 0) throw new TypeError(`this is no pipeline: ${problems.join('; ')}`)
  const options = resolved(pipeline, given)
  const prepared = await prepare(pipeline, options)
  const moment = { ...parts, now, signal }
  const records = inputsOf(pipeline.topics.input, values, moment)
  const settled = await settle(prepared, records, concurrency)
  const outcomes = settled.map(({ result }) => outcomeOf<V>(result))
  return { outcomes, ...findingsOf(prepared, settled, { options, now, flush }) }
}

/** Through texts, as the environment holds them: what production would refuse is refused here. */
const resolved = (pipeline: AnyPipeline, given: JsonObject): JsonObject => {
  const env = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      value === undefined ? [] : [[optionVariable(name), textOf(value)]],
    ),
  )
  return resolveOptions(pipeline, { ...env, ...makeSecrets(pipeline, env) })
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** As a thread does it: asynchronous steps overlap, their results keep the order of the records. */
const settle = async (
  prepared: Prepared,
  records: readonly RecordInput[],
  most: number,
): Promise<Settled[]> => {
  const start = async ({ bytes, input }: RecordInput): Promise<Settled> => ({
    input,
    result: await prepared.run(bytes, 0, bytes?.length ?? 0, input),
  })
  const started: Promise<Settled>[] = []
  for (const [i, record] of records.entries()) {
    await started[i - most]
    started.push(start(record))
  }
  return Promise.all(started)
}

const outcomeOf = <V extends JsonObject>(result: Result): Outcome<V> =>
  result.outcome === 'done' ? { outcome: 'done', value: JSON.parse(result.json) } : result

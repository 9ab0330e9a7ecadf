/**
 * Bytes to outcome: the one way a pipeline runs, in threads, dry-run, tests and tools.
 *
 *     decode -> defaults, schema -> process -> masks -> JSON
 *
 * Each step hands on a value or ends with a verdict. Nothing a record or a pipeline does throws out of `run`, and no
 * error text repeats a value. Synchronous while `process` is; no promise is made then.
 */
import { MillraceError } from '../../cluster/errors.ts'
import { type Check, compileCheck } from './check.ts'
import { RecordContext } from './context.ts'
import { decodeObject, fails } from './decode.ts'
import type { AnyPipeline, Input, JsonObject } from './define.ts'
import { Folder, type FolderLimits, foldedAggregates } from './folder.ts'
import { type Dead, type Done, type Drop, isVerdict, type Retry, retry, type Verdict } from './outcome.ts'

/** `value` is folded, `json` is written; they say the same. */
export interface Finished extends Done<JsonObject> {
  readonly json: string
}
export type Result = Finished | Retry | Dead | Drop

export interface PrepareLimits {
  /** A longer value is a dead letter. */
  readonly maxRecordBytes: number
}

const DEFAULT_LIMITS: PrepareLimits = { maxRecordBytes: 8 * 1024 * 1024 }

/**
 * Compiles the schema and runs `setup`, once per thread.
 * @throws MillraceError `pipeline-load` where one of them fails.
 */
export const prepare = async (
  pipeline: AnyPipeline,
  options: JsonObject = {},
  limits: PrepareLimits = DEFAULT_LIMITS,
): Promise<Prepared> => {
  try {
    const check = compileCheck(pipeline.schema)
    const resources = await pipeline.setup?.(options)
    return new Prepared(pipeline, { check, options, resources, limits })
  } catch (error) {
    throw refused(pipeline, error)
  }
}

const refused = (pipeline: AnyPipeline, error: unknown): MillraceError => {
  if (error instanceof MillraceError) return error
  const why = error instanceof Error ? error.message : String(error)
  return new MillraceError('pipeline-load', `${pipeline.name}: schema or setup failed: ${why}`, {
    cause: error,
  })
}

interface Parts {
  readonly check: Check
  readonly options: JsonObject
  readonly resources: unknown
  readonly limits: PrepareLimits
}

export class Prepared {
  readonly pipeline: AnyPipeline
  readonly #parts: Parts
  readonly #masks: readonly (readonly [field: string, mask: (value: string) => string])[]

  constructor(pipeline: AnyPipeline, parts: Parts) {
    this.pipeline = pipeline
    this.#parts = parts
    this.#masks = Object.entries(pipeline.masks ?? {})
  }

  /** `bytes` null is a tombstone. */
  run(bytes: Buffer | null, start: number, end: number, input: Input): Result | Promise<Result> {
    const record = decodeObject(bytes, start, end, this.#parts.limits.maxRecordBytes)
    if (isVerdict(record)) return settle(record)
    let returned: unknown
    try {
      const misfit = this.#parts.check(record)
      if (misfit !== undefined) return settle(misfit)
      returned = this.#process(record, input)
    } catch (error) {
      return settle(threw(error, input))
    }
    if (!isPromise(returned)) return this.#finish(returned)
    return returned.then(
      (value) => this.#finish(value),
      (error) => settle(threw(error, input)),
    )
  }

  /** A folder for one batch. */
  folder(limits: FolderLimits): Folder {
    return new Folder(foldedAggregates(this.pipeline), limits)
  }

  #process(record: JsonObject, input: Input): unknown {
    if (this.pipeline.process === undefined) return record
    const { options, resources } = this.#parts
    return this.pipeline.process(record, new RecordContext(input, options, resources))
  }

  #finish(value: unknown): Result {
    if (!isRecord(value)) return settle(fails('bad-output'))
    if (isVerdict(value)) return settle(value)
    try {
      for (const [field, mask] of this.#masks) maskField(value, field, mask)
    } catch (error) {
      return settle(retry('mask-threw', nameOf(error)))
    }
    const json = stringify(value)
    return json === undefined ? settle(fails('bad-output')) : { outcome: 'done', value, json }
  }
}

/**
 * Epoch ms of the event of an output: the pipeline's `eventTime`, else the record's timestamp. NaN where the pipeline
 * finds none; windows then leave the record out. From the output alone, so that an audit finds the same.
 */
export const eventTimeOf = (pipeline: AnyPipeline, value: JsonObject, timestamp: number): number => {
  if (pipeline.eventTime === undefined) return timestamp
  try {
    const time: unknown = pipeline.eventTime(value)
    return typeof time === 'number' ? time : Number.NaN
  } catch {
    return Number.NaN
  }
}

/** Under which class an error of that code is counted. @throws never: a fault of the pipeline counts as the code itself */
export const errorClassOf = (pipeline: AnyPipeline, code: string): string => {
  try {
    return String(pipeline.errorClass?.(code) ?? code)
  } catch {
    return code
  }
}

const isRecord = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** JSON holds no functions: a record with a field `then` is no promise. */
const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/** In place: `process` has given its value away. What is no text is masked as its JSON: a mask never lets a value through. */
const maskField = (value: JsonObject, field: string, mask: (text: string) => string): void => {
  const shown = value[field]
  if (typeof shown === 'string') value[field] = mask(shown)
  else if (shown !== undefined && shown !== null && Object.hasOwn(value, field))
    value[field] = mask(JSON.stringify(shown) ?? '')
}

const stringify = (value: JsonObject): string | undefined => {
  try {
    const json: unknown = JSON.stringify(value)
    return typeof json === 'string' && json.startsWith('{') ? json : undefined
  } catch {
    return undefined
  }
}

const threw = (error: unknown, input: Input): Verdict =>
  retry(input.signal.aborted ? 'process-timeout' : 'process-threw', nameOf(error))

/** Messages of errors may repeat the record: only the class and a code such as ECONNREFUSED are kept. */
const nameOf = (error: unknown): string => {
  if (!(error instanceof Error)) return typeof error
  const code: unknown = 'code' in error ? error.code : undefined
  const name = error.constructor.name
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? `${name} ${code}` : name
}

const CODE_LENGTH = 120
const MESSAGE_LENGTH = 500

/** Plain data for the thread: headers and logs take bounded texts. */
const settle = (verdict: Verdict): Retry | Dead | Drop => {
  const code = String(verdict.code).slice(0, CODE_LENGTH)
  if (verdict.outcome === 'drop') return { outcome: 'drop', code }
  return { outcome: verdict.outcome, code, message: String(verdict.message).slice(0, MESSAGE_LENGTH) }
}

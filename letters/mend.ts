/** One letter through the rules and then through the live validator: the pipeline itself, as threads run it. */
import { decodeObject } from '../pipelines/api/decode.ts'
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'
import type { Prepared, Result } from '../pipelines/api/execute.ts'
import { isVerdict } from '../pipelines/api/outcome.ts'
import type { Letter } from './letter.ts'
import { applyRules, type Rule } from './rules.ts'

export type Mended =
  | {
      readonly result: 'mended'
      readonly value: Buffer
      readonly before: JsonObject
      readonly after: JsonObject
    }
  /** Nothing was changed, and it would pass as it is: what made it fail is gone. */
  | { readonly result: 'sound' }
  /** `changed` tells a rule that does not suffice from one that did not apply. */
  | { readonly result: 'failing'; readonly code: string; readonly changed: boolean }

export interface MenderOptions {
  readonly prepared: Prepared
  /** Empty: the pipeline's own `repair`. */
  readonly rules: readonly Rule[]
  readonly maxRecordBytes: number
  readonly now: () => number
  readonly signal: AbortSignal
}

export class Mender {
  readonly #options: MenderOptions

  constructor(options: MenderOptions) {
    this.#options = options
  }

  async mend(letter: Letter): Promise<Mended> {
    const { value } = letter
    const length = value?.length ?? 0
    const before = decodeObject(value, 0, length, this.#options.maxRecordBytes)
    if (isVerdict(before)) return { result: 'failing', code: before.code, changed: false }
    const after = this.#changed(before, letter.code)
    if (after === undefined) return { result: 'failing', code: 'repair-threw', changed: false }
    const text = JSON.stringify(after)
    const changed = text !== JSON.stringify(before)
    const bytes = changed ? Buffer.from(text) : (value ?? Buffer.alloc(0))
    const found = await this.#try(letter, bytes)
    if (found.outcome === 'dead' || found.outcome === 'retry')
      return { result: 'failing', code: found.code, changed }
    return changed ? { result: 'mended', value: bytes, before, after } : { result: 'sound' }
  }

  /** Undefined where the pipeline's own `repair` throws. It may change what it is given, so it gets a copy. */
  #changed(before: JsonObject, code: string): JsonObject | undefined {
    const { prepared, rules } = this.#options
    if (rules.length > 0) return applyRules(rules, before)
    try {
      return prepared.pipeline.repair?.(structuredClone(before), code) ?? before
    } catch {
      return undefined
    }
  }

  #try(letter: Letter, bytes: Buffer): Result | Promise<Result> {
    const { prepared, now, signal } = this.#options
    const { key, headers, origin } = letter
    const at = now()
    const input = { key, headers, timestamp: at, origin, now: at, attempt: 1, signal }
    return prepared.run(bytes, 0, bytes.length, input)
  }
}

/** The fields that a repair has changed, in the order of the record. */
export const changedFields = (before: JsonObject, after: JsonObject): readonly string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]),
  )

export const canMend = (pipeline: AnyPipeline, rules: readonly Rule[]): boolean =>
  rules.length > 0 || pipeline.repair !== undefined

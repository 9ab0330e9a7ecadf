/** Bytes of a record value to a JSON object, or the verdict why not. Everything here may be hostile. */
import { isUtf8 } from 'node:buffer'
import { type FailureCode, failureKinds } from './codes.ts'
import type { JsonObject } from './define.ts'
import { dead, type Verdict } from './outcome.ts'

/** JSON.stringify recurses: a deeper value could overflow the stack of a thread. */
export const MAX_DEPTH = 256

/** One object per code: a flood of bad records allocates nothing. */
const verdicts = new Map<FailureCode, Verdict>()
export const fails = (code: FailureCode): Verdict => {
  const known = verdicts.get(code)
  if (known !== undefined) return known
  const made = dead(code, failureKinds[code].meaning)
  verdicts.set(code, made)
  return made
}

export const decodeObject = (
  bytes: Buffer | null,
  start: number,
  end: number,
  maxBytes: number,
): JsonObject | Verdict => {
  if (bytes === null) return fails('tombstone')
  if (end - start > maxBytes) return fails('too-large')
  const text = bytes.toString('utf8', start, end)
  // The decoder writes U+FFFD for what is not UTF-8; a valid text may hold one too.
  if (text.includes('\uFFFD') && !isUtf8(bytes.subarray(start, end))) return fails('not-utf8')
  if (isTooDeep(text)) return fails('too-deep')
  const value = parse(text)
  if (value === undefined) return fails('not-json')
  return isObject(value) ? value : fails('not-an-object')
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Valid JSON needs a bracket each way, so most records are too short to be looked at. */
const isTooDeep = (text: string): boolean => text.length > 2 * MAX_DEPTH && depthOf(text) > MAX_DEPTH

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Deepest nesting of brackets outside strings. Stops counting above the limit. */
const depthOf = (text: string): number => {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length && depth <= MAX_DEPTH; i++) {
    const unit = text.charCodeAt(i)
    if (quoted) {
      if (unit === BACKSLASH) i++
      else if (unit === QUOTE) quoted = false
    } else if (unit === QUOTE) quoted = true
    else if ((unit & ~0x20) === 0x5b) depth++
    else if ((unit & ~0x20) === 0x5d) depth--
  }
  return depth
}

/** Parsers of command line values; what does not fit is refused with what was expected. */
import { InvalidArgumentError } from 'commander'
import { messageOf } from '../cluster/errors.ts'
import { parseDuration } from '../cluster/settings.ts'

const number = (text: string): number => {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.')
  return value
}

export const wholeNumber = (text: string): number => {
  const value = number(text)
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('Expected a whole number.')
  return value
}

export const positiveNumber = (text: string): number => {
  const value = number(text)
  if (value <= 0) throw new InvalidArgumentError('Expected a number above 0.')
  return value
}

/** `0` and more: 0 means without limit. */
export const rate = (text: string): number => number(text)

/** `0.05` or `5%`. */
export const share = (text: string): number => {
  const value = text.endsWith('%') ? number(text.slice(0, -1)) / 100 : number(text)
  if (value > 1) throw new InvalidArgumentError('Expected a share from 0 to 1, or a percentage.')
  return value
}

/** `500ms`, `60s`, `5m`, or a bare number of milliseconds. */
export const duration = (text: string): number => {
  try {
    return parseDuration(text)
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error))
  }
}

/** `name=value`, collected over repetitions; a name may come more than once. */
export const header = (text: string, before: readonly [string, string][] = []): [string, string][] => {
  const cut = text.indexOf('=')
  if (cut < 1) throw new InvalidArgumentError('Expected name=value.')
  return [...before, [text.slice(0, cut), text.slice(cut + 1)]]
}

/** How folds read a field. The same from the value in memory and from the written output, or a recount would differ. */
import type { JsonObject } from '../define.ts'

export const MISSING = '(none)'

/** As JSON.stringify would see it. */
const plain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
    ? value.toJSON()
    : value

/** All that folds can tell of a value, as plain data: of objects and arrays only that they are. */
export const plainOf = (raw: unknown): unknown => {
  const value = plain(raw)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? [] : {}
  return typeof value === 'function' || typeof value === 'symbol' ? undefined : value
}

/** The text of a field, or undefined where it is absent. */
export const textOf = (record: JsonObject, field: string): string | undefined => {
  const raw = record[field]
  if (typeof raw === 'string') return raw
  const value = plain(raw)
  if (typeof value === 'string') return value
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null'
  if (typeof value === 'boolean' || value === null) return String(value)
  if (typeof value !== 'object') return undefined
  return Array.isArray(value) ? '(array)' : '(object)'
}

/** Beyond this no plausible measure lies, and sums could overflow. */
const HUGE = 1e290

/** A number, or undefined where the field holds none. Numeric strings are text. */
export const numberOf = (record: JsonObject, field: string): number | undefined => {
  const raw = record[field]
  const value = typeof raw === 'number' ? raw : plain(raw)
  return typeof value === 'number' && Math.abs(value) < HUGE ? value : undefined
}

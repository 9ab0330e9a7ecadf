/**
 * An exact sum of floating-point numbers: Shewchuk's expansion, a list of numbers that do not overlap and whose sum is
 * the true one. Plain addition is not associative: a recount in another order would differ in the last digits.
 */
import type { JsonObject } from '../define.ts'
import { numberOf } from './field.ts'
import { type Algebra, type Cell, malformed } from './fold.ts'

/** Adds in place. */
const grow = (parts: number[], number: number): void => {
  let carry = number
  let kept = 0
  for (const part of parts) {
    const [big, small] = Math.abs(carry) < Math.abs(part) ? [part, carry] : [carry, part]
    const high = big + small
    const low = small - (high - big)
    if (low !== 0) parts[kept++] = low
    carry = high
  }
  parts.length = kept
  if (carry !== 0) parts.push(carry)
}

/** The expansion's sum, rounded once, half to even. */
const round = (parts: readonly number[]): number => {
  let index = parts.length - 1
  let high = parts[index] ?? 0
  while (index > 0) {
    const before = high
    const next = parts[--index] ?? 0
    high = before + next
    const low = next - (high - before)
    if (low === 0) continue
    const rest = parts[index - 1] ?? 0
    const twice = low * 2
    const up = high + twice
    return low * rest > 0 && up - high === twice ? up : high
  }
  return high
}

class SumCell implements Cell {
  readonly #parts: number[] = []
  readonly #field: string
  constructor(field: string) {
    this.#field = field
  }
  add(record: JsonObject): void {
    const value = numberOf(record, this.#field)
    if (value !== undefined) grow(this.#parts, value)
  }
  value(): readonly number[] {
    return [...this.#parts]
  }
}

export const sum = (field: string): Algebra<readonly number[]> => ({
  empty: [],
  merge: (a, b) => {
    const parts = [...a]
    for (const part of b) grow(parts, part)
    return parts
  },
  equals: (a, b) => round(a) === round(b),
  encode: (value) => value,
  decode: (json) => {
    if (!Array.isArray(json) || !json.every((part) => typeof part === 'number')) throw malformed('sum')
    return json
  },
  show: round,
  cell: () => new SumCell(field),
})

/** Least or greatest number of a field; null where there was none. */
import type { JsonObject } from '../define.ts'
import { numberOf } from './field.ts'
import { type Algebra, type Cell, malformed } from './fold.ts'

type Choose = (a: number, b: number) => number

class ExtremeCell implements Cell {
  #best: number | null = null
  readonly #field: string
  readonly #choose: Choose
  constructor(field: string, choose: Choose) {
    this.#field = field
    this.#choose = choose
  }
  add(record: JsonObject): void {
    const value = numberOf(record, this.#field)
    if (value !== undefined) this.#best = this.#best === null ? value : this.#choose(this.#best, value)
  }
  value(): number | null {
    return this.#best
  }
}

export const extreme = (fold: 'min' | 'max', field: string): Algebra<number | null> => {
  const choose = Math[fold]
  return {
    empty: null,
    merge: (a, b) => (a === null ? b : b === null ? a : choose(a, b)),
    equals: (a, b) => a === b,
    encode: (value) => value,
    decode: (json) => {
      if (typeof json !== 'number' && json !== null) throw malformed(fold)
      return json
    },
    show: (value) => value,
    cell: () => new ExtremeCell(field, choose),
  }
}

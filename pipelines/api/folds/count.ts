/** How many records. */
import { type Algebra, type Cell, malformed } from './fold.ts'

class CountCell implements Cell {
  #count = 0
  add(): void {
    this.#count++
  }
  value(): number {
    return this.#count
  }
}

export const count: Algebra<number> = {
  empty: 0,
  merge: (a, b) => a + b,
  equals: (a, b) => a === b,
  encode: (value) => value,
  decode: (json) => {
    if (typeof json !== 'number') throw malformed('count')
    return json
  },
  show: (value) => value,
  cell: () => new CountCell(),
}

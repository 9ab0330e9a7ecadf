/**
 * A table of address ranges, `first,last,country` a line, in any order: sorted once, then searched by halves. It lies in
 * two blocks of bytes, because some hundred thousand objects would fill the heap of every thread.
 */
import { ADDRESS_BYTES, bytesOf } from './address.ts'

export interface Ranges {
  /** Country of an address of 16 bytes; undefined where no range holds it. */
  find(address: Buffer): string | undefined
}

export const NO_RANGES: Ranges = { find: () => undefined }

interface Range {
  readonly first: Buffer
  readonly last: Buffer
  readonly country: string
}

/** @throws Error that names the line that is no range, or the two that overlap */
export const rangesIn = (csv: string): Ranges => {
  const lines = csv.split('\n')
  const [firsts, lasts] = [new Column(lines.length), new Column(lines.length)]
  const countries: string[] = []
  const numbers: number[] = []
  // Of each name one copy, however many ranges it has.
  const names = new Map<string, string>()
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue
    const { first, last, country } = rangeOf(line, i + 1)
    firsts.set(i, first)
    lasts.set(i, last)
    countries[i] = names.get(country) ?? country
    names.set(country, country)
    numbers.push(i)
  }
  const order = Uint32Array.from(numbers).sort((a, b) => firsts.compare(a, firsts.at(b)))
  refuseOverlaps(order, firsts, lasts)
  return { find: (address) => countries[placeOf(address, order, firsts, lasts)] }
}

const rangeOf = (line: string, number: number): Range => {
  const [from = '', to = '', country] = line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'))
  const [first, last] = [bytesOf(from), bytesOf(to)]
  if (first === undefined || last === undefined || first.compare(last) > 0 || !country)
    throw new Error(`line ${number} of the database is not first,last,country`)
  return { first, last, country }
}

const refuseOverlaps = (order: Uint32Array, firsts: Column, lasts: Column): void => {
  for (let i = 1; i < order.length; i++) {
    const [before = 0, after = 0] = order.subarray(i - 1, i + 1)
    if (lasts.compare(before, firsts.at(after)) < 0) continue
    const [one, other] = [before + 1, after + 1].sort((a, b) => a - b)
    throw new Error(`lines ${one} and ${other} of the database overlap`)
  }
}

/** Index of the range that holds the address, or -1. */
const placeOf = (address: Buffer, order: Uint32Array, firsts: Column, lasts: Column): number => {
  // Law: every range before `low` begins at the address or below it, none from `high` on does.
  let [low, high] = [0, order.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (firsts.compare(order[middle] ?? 0, address) <= 0) low = middle + 1
    else high = middle
  }
  const place = order[low - 1] ?? -1
  return place >= 0 && lasts.compare(place, address) >= 0 ? place : -1
}

class Column {
  readonly #bytes: Buffer
  constructor(length: number) {
    this.#bytes = Buffer.alloc(length * ADDRESS_BYTES)
  }
  set(index: number, address: Buffer): void {
    this.#bytes.set(address, index * ADDRESS_BYTES)
  }
  at(index: number): Buffer {
    return this.#bytes.subarray(index * ADDRESS_BYTES, (index + 1) * ADDRESS_BYTES)
  }
  /** Below 0 where the one at `index` is the smaller. */
  compare(index: number, address: Buffer): number {
    const start = index * ADDRESS_BYTES
    return this.#bytes.compare(address, 0, ADDRESS_BYTES, start, start + ADDRESS_BYTES)
  }
}

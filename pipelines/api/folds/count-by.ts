/**
 * Counts by label. At most `cap` labels are kept: those whose hash is smallest; the rest is `(other)`.
 * A label that is among the smallest of all is among the smallest of every part it occurs in, so no part has put any of
 * it into `(other)`: the cap too is independent of how records were grouped. (The first 1,000 seen would not be.)
 */
import type { JsonObject } from '../define.ts'
import { MISSING, textOf } from './field.ts'
import { type Algebra, type Cell, malformed } from './fold.ts'
import { rankOf } from './hash.ts'

export const OTHER = '(other)'
export const LABEL_CAP = 1000
/** Longer labels are cut: a thousand of them must fit into one state record. */
const LABEL_LENGTH = 120

/** `labels[i]` was counted `counts[i]` times; labels stand in the order in which they were first seen. */
export interface Counts {
  readonly labels: readonly string[]
  readonly counts: readonly number[]
  readonly other: number
}

interface Counter {
  count: number
}

const labelOf = (record: JsonObject, field: string): string => {
  const text = textOf(record, field) ?? MISSING
  return text.length <= LABEL_LENGTH ? text : `${text.slice(0, LABEL_LENGTH)}…`
}

/** Leaves the `cap` labels of smallest hash in place and returns what the others had counted. */
const prune = (counters: Map<string, Counter>, cap: number): number => {
  if (counters.size <= cap) return 0
  const ranked = Array.from(counters.keys(), (label) => ({ label, rank: rankOf(label) }))
  ranked.sort((a, b) => a.rank - b.rank || (a.label < b.label ? -1 : 1))
  let removed = 0
  for (const { label } of ranked.slice(cap)) {
    removed += counters.get(label)?.count ?? 0
    counters.delete(label)
  }
  return removed
}

const countsOf = (counters: Map<string, Counter>, other: number): Counts => ({
  labels: [...counters.keys()],
  counts: Array.from(counters.values(), (counter) => counter.count),
  other,
})

const pour = (counters: Map<string, Counter>, from: Counts): void => {
  for (let i = 0; i < from.labels.length; i++) {
    const label = from.labels[i] ?? ''
    const count = from.counts[i] ?? 0
    const counter = counters.get(label)
    if (counter === undefined) counters.set(label, { count })
    else counter.count += count
  }
}

class CountByCell implements Cell {
  readonly #counters = new Map<string, Counter>()
  readonly #field: string
  readonly #cap: number
  #other = 0
  constructor(field: string, cap: number) {
    this.#field = field
    this.#cap = cap
  }
  add(record: JsonObject): void {
    const label = labelOf(record, this.#field)
    const counter = this.#counters.get(label)
    if (counter !== undefined) counter.count++
    else this.#insert(label)
  }
  value(): Counts {
    this.#other += prune(this.#counters, this.#cap)
    return countsOf(this.#counters, this.#other)
  }
  #insert(label: string): void {
    this.#counters.set(label, { count: 1 })
    // Rarely, so that ranking is paid once per many new labels.
    if (this.#counters.size > this.#cap * 4) this.#other += prune(this.#counters, this.#cap)
  }
}

const isCounts = (json: unknown): json is Counts =>
  typeof json === 'object' &&
  json !== null &&
  'labels' in json &&
  Array.isArray(json.labels) &&
  'counts' in json &&
  Array.isArray(json.counts) &&
  json.labels.length === json.counts.length &&
  'other' in json &&
  typeof json.other === 'number'

const equals = (a: Counts, b: Counts): boolean => {
  if (a.other !== b.other || a.labels.length !== b.labels.length) return false
  const counted = new Map(a.labels.map((label, i) => [label, a.counts[i]]))
  return b.labels.every((label, i) => counted.get(label) === b.counts[i])
}

/** `[label, count]` in first-seen order, `(other)` last: a plain object would put integer-like labels first. */
export const entriesOf = (value: Counts): readonly (readonly [label: string, count: number])[] => {
  const entries = value.labels.map((label, i): [string, number] => [label, value.counts[i] ?? 0])
  if (value.other === 0) return entries
  const bucket = entries.find(([label]) => label === OTHER)
  if (bucket === undefined) entries.push([OTHER, value.other])
  else bucket[1] += value.other
  return entries
}

/** The `n` labels counted most; ties go to the label seen first. `(other)` is no label. */
export const topN = (value: Counts, n: number): readonly (readonly [label: string, count: number])[] =>
  value.labels
    .map((label, i): [string, number] => [label, value.counts[i] ?? 0])
    .sort((a, b) => b[1] - a[1])
    .slice(0, n)

export const countBy = (field: string, cap: number): Algebra<Counts> => ({
  empty: { labels: [], counts: [], other: 0 },
  merge: (a, b) => {
    const counters = new Map<string, Counter>()
    pour(counters, a)
    pour(counters, b)
    const pruned = prune(counters, cap)
    return countsOf(counters, a.other + b.other + pruned)
  },
  equals,
  encode: (value) => value,
  decode: (json) => {
    if (!isCounts(json)) throw malformed('countBy')
    return json
  },
  show: (value) => Object.fromEntries(entriesOf(value)),
  cell: () => new CountByCell(field, cap),
})

/** The windows of one slot as one source tells them, and how two sources differ. Pure. */
import {
  type Aggregate,
  type Aggregates,
  emptyValue,
  equals,
  finalize,
  type Shown,
  sizeOf,
  type Value,
} from '../pipelines/api/aggregates.ts'

export interface WindowEntry {
  readonly aggregate: string
  /** Epoch ms; 0 for a total. */
  readonly start: number
  /** Undefined where what is stored is not of this fold. */
  readonly value: Value | undefined
}

/** By `windowKey`. */
export type WindowTable = ReadonlyMap<string, WindowEntry>

export const windowKey = (aggregate: string, start: number): string => `${aggregate}/${start}`

export const tableOf = (entries: Iterable<WindowEntry>): WindowTable =>
  new Map([...entries].map((entry) => [windowKey(entry.aggregate, entry.start), entry]))

export interface WindowMismatch {
  /** Which source differs from what was expected. */
  readonly where: 'state' | 'redis'
  readonly aggregate: string
  readonly slot: number
  /** Its start in UTC, or `total`. */
  readonly window: string
  /** Counts by label are cut to what differs; null where the source has no such window. */
  readonly expected: Shown
  readonly found: Shown | 'unreadable'
}

/** First event time whose windows are open at that watermark: what lies before is gone on purpose. */
export const openFrom = (aggregate: Aggregate, watermark: number): number => {
  if (aggregate.span !== 'window') return Number.NEGATIVE_INFINITY
  // The first start with start + size > watermark - retention.
  const end = watermark - aggregate.retention
  return Math.floor(end / aggregate.size) * aggregate.size
}

export interface Comparison {
  readonly where: WindowMismatch['where']
  readonly slot: number
  readonly watermark: number
  readonly aggregates: Aggregates
  /** Aggregates that nothing can be said of. */
  readonly except: ReadonlySet<string>
  readonly expected: WindowTable
  readonly found: WindowTable
}

export const compareTables = (comparison: Comparison): WindowMismatch[] => {
  const { aggregates, except, expected, found, watermark } = comparison
  const keys = new Set([...expected.keys(), ...found.keys()])
  return [...keys].flatMap((key) => {
    const [right, is] = [expected.get(key), found.get(key)]
    const { aggregate: name, start } = right ?? is ?? { aggregate: '', start: 0 }
    const aggregate = aggregates[name]
    if (aggregate === undefined || except.has(name) || start < openFrom(aggregate, watermark)) return []
    if (isEqual(aggregate, right, is)) return []
    return [{ ...describe(comparison, aggregate, name, start), ...shown(aggregate, right, is) }]
  })
}

/** A window in which nothing was counted may be there or not: one that other aggregates share begins with all of their cells. */
const isEqual = (
  aggregate: Aggregate,
  right: WindowEntry | undefined,
  is: WindowEntry | undefined,
): boolean => {
  const nothing = { value: emptyValue(aggregate) }
  const [expected, found] = [(right ?? nothing).value, (is ?? nothing).value]
  return expected !== undefined && found !== undefined && equals(aggregate, expected, found)
}

const describe = ({ where, slot }: Comparison, aggregate: Aggregate, name: string, start: number) => ({
  where,
  aggregate: name,
  slot,
  window: sizeOf(aggregate) === 'total' ? 'total' : new Date(start).toISOString(),
})

const shown = (aggregate: Aggregate, right: WindowEntry | undefined, is: WindowEntry | undefined) => {
  const show = (entry: WindowEntry | undefined): Shown =>
    entry?.value === undefined ? null : finalize(aggregate, entry.value)
  const [expected, found] = onlyDifferent(show(right), show(is))
  return { expected, found: is !== undefined && is.value === undefined ? ('unreadable' as const) : found }
}

const MOST_LABELS = 5

const onlyDifferent = (expected: Shown, found: Shown): readonly [Shown, Shown] => {
  if (typeof expected !== 'object' || typeof found !== 'object' || expected === null || found === null)
    return [expected, found]
  const labels = new Set([...Object.keys(expected), ...Object.keys(found)])
  const differing = [...labels].filter((label) => expected[label] !== found[label]).slice(0, MOST_LABELS)
  const pick = (counts: Readonly<Record<string, number>>) =>
    Object.fromEntries(differing.map((label) => [label, counts[label] ?? 0]))
  return [pick(expected), pick(found)]
}

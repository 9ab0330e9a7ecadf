/**
 * The time axis of a trace: linear where something happens, broken where a record only waits. A record is worked on for
 * milliseconds and waits seconds for its next run: on one scale nothing of the work would be seen. Pure.
 */

export interface Interval {
  readonly startMs: number
  readonly endMs: number
}

/** A wait that is cut out: its columns, and how long it was. */
export interface Gap {
  readonly column: number
  readonly columns: number
  readonly ms: number
}

export interface Axis {
  readonly columns: number
  readonly gaps: readonly Gap[]
  /** Where a time of something busy stands, with fractions of a column. */
  at(ms: number): number
}

/** The widest share of the axis that gaps may take to name their lengths. */
const MOST_NAMED = 0.5
/** Columns that each stretch of work gets at least. */
const LEAST_STRETCH = 2
/** So many columns of the axis allow for one gap. */
const COLUMNS_OF_GAP = 6

/**
 * @param busy when something happens; what lies between is waiting, cut out where it is longer than half of all that is busy
 * @param labelOf what stands in a gap, where there is room
 */
export const axisOf = (busy: readonly Interval[], columns: number, labelOf: (ms: number) => string): Axis => {
  const merged = merge(busy)
  const stretches = merge(merged, longestWaits(merged, Math.floor(columns / COLUMNS_OF_GAP)))
  const waits = stretches.slice(1).map(({ startMs }, index) => startMs - (stretches[index]?.endMs ?? 0))
  const named = waits.map((ms) => labelOf(ms).length + 2)
  const fits = sum(named) <= columns * MOST_NAMED
  const widths = fits ? named : waits.map(() => 1)
  const spread = spreadOver(stretches, columns - sum(widths))
  const placed: Placed[] = []
  const gaps: Gap[] = []
  let column = 0
  for (const [index, stretch] of stretches.entries()) {
    placed.push({ ...stretch, column, columns: spread[index] ?? 0 })
    column += spread[index] ?? 0
    const [ms, width] = [waits[index], widths[index]]
    if (ms === undefined || width === undefined) continue
    gaps.push({ column, columns: width, ms })
    column += width
  }
  return { columns, gaps, at: (ms) => columnOf(placed, ms) }
}

interface Placed extends Interval {
  readonly column: number
  readonly columns: number
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const length = ({ startMs, endMs }: Interval): number => endMs - startMs

/** Intervals that touch, or lie apart by no more than that, as one. */
const merge = (intervals: readonly Interval[], apartMs = 0): readonly Interval[] => {
  const merged: { startMs: number; endMs: number }[] = []
  for (const { startMs, endMs } of intervals.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1)
    if (last !== undefined && startMs - last.endMs <= apartMs) last.endMs = Math.max(last.endMs, endMs)
    else merged.push({ startMs, endMs })
  }
  return merged
}

/** Waits longer than this are cut out: the few longest, and only what is long beside the work. */
const longestWaits = (busy: readonly Interval[], most: number): number => {
  const waits = busy.slice(1).map(({ startMs }, index) => startMs - (busy[index]?.endMs ?? startMs))
  const next = waits.toSorted((a, b) => b - a)[most] ?? 0
  return Math.max(sum(busy.map(length)) / 2, next)
}

/** Whole columns by length, each at least a few, together exactly so many. */
const spreadOver = (stretches: readonly Interval[], columns: number): readonly number[] => {
  const least = Math.max(1, Math.min(LEAST_STRETCH, Math.floor(columns / stretches.length)))
  const total = sum(stretches.map(length))
  const free = Math.max(0, columns - least * stretches.length)
  let reached = 0
  let given = 0
  return stretches.map((stretch) => {
    reached += total === 0 ? 1 / stretches.length : length(stretch) / total
    const upTo = Math.round(reached * free)
    const own = least + upTo - given
    given = upTo
    return own
  })
}

const columnOf = (placed: readonly Placed[], ms: number): number => {
  const on = placed.findLast(({ startMs }) => startMs <= ms) ?? placed[0]
  if (on === undefined) return 0
  const share = length(on) === 0 ? 0 : (ms - on.startMs) / length(on)
  return on.column + share * on.columns
}

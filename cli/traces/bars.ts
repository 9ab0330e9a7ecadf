/** Bars of spans on a time axis, in halves of a column, and the axis itself. Pure. */
import type { Axis, Gap, Interval } from './axis.ts'

export interface BarGlyphs {
  readonly full: string
  readonly left: string
  readonly right: string
  /** Where a wait is cut out. */
  readonly cut: string
  /** The axis, and a span that goes on through a wait. */
  readonly through: string
}

/** As wide as the axis. A span is never less than half a column. */
export const barText = (axis: Axis, spans: readonly Interval[], glyphs: BarGlyphs): string => {
  const halves = new Set<number>()
  for (const { startMs, endMs } of spans) {
    const first = Math.min(Math.floor(axis.at(startMs) * 2), axis.columns * 2 - 1)
    const after = Math.max(first + 1, Math.round(axis.at(endMs) * 2))
    for (let half = first; half < after; half++) halves.add(half)
  }
  return drawn(axis, {
    stretch: (column) => {
      const [left, right] = [halves.has(column * 2), halves.has(column * 2 + 1)]
      if (left && right) return glyphs.full
      return left ? glyphs.left : right ? glyphs.right : ' '
    },
    gap: ({ column, columns }) => {
      const goesOn = halves.has(column * 2) && halves.has((column + columns) * 2 - 1)
      const side = (goesOn ? glyphs.through : ' ').repeat(Math.floor((columns - 1) / 2))
      return `${side}${glyphs.cut}${side}`.padEnd(columns, goesOn ? glyphs.through : ' ')
    },
  })
}

/** The axis with the lengths of the waits that are cut out of it, where they have the room. */
export const scaleText = (axis: Axis, glyphs: BarGlyphs, labelOf: (ms: number) => string): string =>
  drawn(axis, {
    stretch: () => glyphs.through,
    gap: ({ columns, ms }) =>
      columns === 1 ? glyphs.cut : `${glyphs.cut}${labelOf(ms)}${glyphs.cut}`.slice(0, columns),
  })

interface Brush {
  readonly stretch: (column: number) => string
  readonly gap: (gap: Gap) => string
}

const drawn = ({ columns, gaps }: Axis, brush: Brush): string => {
  const starts = new Map(gaps.map((gap) => [gap.column, gap]))
  let text = ''
  for (let column = 0; column < columns; ) {
    const gap = starts.get(column)
    text += gap === undefined ? brush.stretch(column) : brush.gap(gap)
    column += gap?.columns ?? 1
  }
  return text
}

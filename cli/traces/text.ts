/**
 * One trace as text: a line a span, as a tree, with bars on a common time axis from which long waits are cut out.
 * Pure but for colours, which follow stdout.
 */
import { styled } from '../output.ts'
import { axisOf, type Interval } from './axis.ts'
import { barText, scaleText } from './bars.ts'
import { attribute, type Glyphs, HEADS, noteOf, rowOf, short, took } from './rows.ts'
import type { ReceivedTrace } from './spans.ts'
import { flat, linesOf, type Node, treesOf } from './tree.ts'

export interface TraceTextOptions {
  /** Width of the terminal. */
  readonly columns?: number
  /** False: ASCII alone. */
  readonly unicode?: boolean
  /** Lines for spans; what is more is folded. */
  readonly most?: number
}

const COLUMNS = 100
const MOST_LINES = 12
const LEAST_BAR = 12
const MOST_BAR = 48
/** Share of the width that the tree may take. */
const MOST_NAME = 0.34

const UNICODE: Glyphs = {
  fork: '├ ',
  last: '└ ',
  pass: '│ ',
  more: '…',
  full: '█',
  left: '▌',
  right: '▐',
  cut: '╱',
  through: '─',
}
const ASCII: Glyphs = {
  fork: '|- ',
  last: '`- ',
  pass: '|  ',
  more: '..',
  full: '#',
  left: '#',
  right: '#',
  cut: '/',
  through: '-',
}

/** Lines, the first of them a title; no line feed at the end. From 80 columns on none is longer. */
export const traceText = (trace: ReceivedTrace, options: TraceTextOptions = {}): string => {
  const { columns = COLUMNS, unicode = true, most = MOST_LINES } = options
  const glyphs = unicode ? UNICODE : ASCII
  const roots = treesOf(trace.spans)
  const nodes = flat(roots)
  if (nodes.length === 0) return `trace ${trace.traceId}: no spans`
  const startMs = Math.min(...nodes.map(({ span }) => span.startMs))
  const mostName = Math.floor(columns * MOST_NAME)
  const rows = linesOf(roots, most).map((line) => rowOf(line, startMs, glyphs, mostName))
  const widths = HEADS.map((head, cell) => widest([head, ...rows.map(({ cells }) => cells[cell] ?? '')]))
  const free = columns - widths.reduce((sum, width) => sum + width + GUTTER.length, 0)
  const noted = Math.min(widest(rows.map(({ note }) => note)), free - LEAST_BAR - GUTTER.length)
  const bars = Math.max(LEAST_BAR, Math.min(MOST_BAR, free - noted - GUTTER.length))
  const axis = axisOf(busyOf(nodes), bars, brief)
  const lines = rows.map(({ cells, spans, failed, note }) => {
    const bar = styled(failed ? 'red' : 'cyan', barText(axis, spans, glyphs))
    const said = short(note, noted, glyphs)
    return `${cellsText(cells, widths)}${GUTTER}${bar}${said && `${GUTTER}${failed ? styled('red', said) : said}`}`
  })
  const head = `${cellsText(HEADS, widths)}${GUTTER}${scaleText(axis, glyphs, brief)}`
  const title = short(titleOf(trace, nodes), columns, glyphs)
  return [styled('bold', title), styled('dim', head), ...lines].map((line) => line.trimEnd()).join('\n')
}

const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => text.length))

const GUTTER = '  '
/** Times stand to the right. */
const RIGHT_FROM = 2

const cellsText = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, index) => {
      const width = widths[index] ?? 0
      return index < RIGHT_FROM ? cell.padEnd(width) : cell.padStart(width)
    })
    .join(GUTTER)

/** In the axis there is little room. */
const brief = (ms: number): string => took(ms).replace(' ', '')

/** A span that only holds others says nothing about when work was done; its ends do. */
const busyOf = (nodes: readonly Node[]): readonly Interval[] =>
  nodes.flatMap(({ span: { startMs, endMs }, children }) =>
    children.length === 0
      ? [{ startMs, endMs }]
      : [
          { startMs, endMs: startMs },
          { startMs: endMs, endMs },
        ],
  )

/** Which record it was, what came of it, how long it took. */
const titleOf = ({ traceId }: ReceivedTrace, nodes: readonly Node[]): string => {
  const spans = nodes.map(({ span }) => span)
  const record = spans.find((span) => span.name.startsWith('process '))
  const place = ['messaging.destination.partition.id', 'kafka.offset'].map(
    (name) => record && attribute(record, name),
  )
  const topic = record && attribute(record, 'messaging.destination.name')
  const [last] = spans
    .filter((span) => attribute(span, 'millrace.outcome') !== '')
    .toSorted((a, b) => b.endMs - a.endMs)
  const runs = Math.max(1, ...spans.map((span) => Number(attribute(span, 'millrace.attempt')) || 1))
  const ms = Math.max(...spans.map(({ endMs }) => endMs)) - Math.min(...spans.map(({ startMs }) => startMs))
  const said = [
    ...(topic ? [`${topic} ${place.join('/')}`] : []),
    ...(last ? [`${noteOf(last)}${runs > 1 ? ` after ${runs} runs` : ''}`] : []),
    `${took(ms)}, ${spans.length} spans`,
  ]
  return `trace ${traceId}: ${said.join(', ')}`
}

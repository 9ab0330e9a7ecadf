/** What stands in the line of a span, or of spans that are folded: its place in the tree, its process, its times, what came of it. Pure. */
import { printableText } from '../../cluster/printable.ts'
import type { Interval } from './axis.ts'
import type { BarGlyphs } from './bars.ts'
import type { ReceivedSpan } from './spans.ts'
import { type Branch, flat, type Line } from './tree.ts'

export interface Glyphs extends BarGlyphs {
  readonly fork: string
  readonly last: string
  readonly pass: string
  readonly more: string
}

/** Titles of a row's cells. */
export const HEADS = ['span', 'process', 'at', 'took']
const MOST_PROCESS = 12

export interface Row {
  /** As HEADS. */
  readonly cells: readonly string[]
  /** What the bar shows. */
  readonly spans: readonly ReceivedSpan[]
  readonly note: string
  readonly failed: boolean
}

export const rowOf = (line: Line, startMs: number, glyphs: Glyphs, mostName: number): Row => {
  const tree = branchText(line.branch, glyphs)
  if ('folded' in line) {
    const spans = flat(line.folded).map(({ span }) => span)
    const name = `${tree}${glyphs.more} ${spans.length} more`
    const first = Math.min(...spans.map((span) => span.startMs))
    const total = line.folded.reduce((sum, { span }) => sum + length(span), 0)
    const failed = spans.some((span) => span.failed)
    return { cells: [name, '', since(first - startMs), took(total)], spans, note: '', failed }
  }
  const { span } = line.node
  const name = short(`${tree}${nameOf(span)}`, mostName, glyphs)
  const process = short(processOf(span), MOST_PROCESS, glyphs)
  const times = [since(span.startMs - startMs), took(length(span))]
  return { cells: [name, process, ...times], spans: [span], note: noteOf(span), failed: span.failed }
}

/** Roots stand at the margin. */
const branchText = (branch: Branch, { fork, last, pass }: Glyphs): string =>
  branch
    .slice(1)
    .map((isLast, index, all) => {
      if (index === all.length - 1) return isLast ? last : fork
      return isLast ? ' '.repeat(pass.length) : pass
    })
    .join('')

export const short = (text: string, most: number, { more }: Glyphs): string =>
  text.length <= most
    ? text
    : `${text.slice(0, Math.max(0, most - more.length))}${more}`.slice(0, Math.max(0, most))

const length = ({ startMs, endMs }: Interval): number => Math.max(0, endMs - startMs)

export const attribute = ({ attributes }: ReceivedSpan, name: string): string =>
  printableText(String(attributes[name] ?? ''))

/** `attempt 2 logins`: which run it is says more than the name alone. */
const nameOf = (span: ReceivedSpan): string => {
  const run = attribute(span, 'millrace.attempt')
  const name = printableText(span.name)
  return run === '' ? name : name.replace(/^attempt /, `attempt ${run} `)
}

/** `worker 3f2a`: a worker's id ends in what is its own. */
const processOf = ({ service, worker }: ReceivedSpan): string => {
  const name = printableText(service).replace(/^millrace-/, '')
  return worker === undefined ? name : `${name.slice(0, MOST_PROCESS - 5)} ${printableText(worker).slice(-4)}`
}

export const noteOf = (span: ReceivedSpan): string => {
  const outcome = attribute(span, 'millrace.outcome')
  const error = attribute(span, 'error.type')
  const words = [outcome, error].filter((word) => word !== '')
  return words.length === 0 && span.failed ? 'error' : words.join(' ')
}

/** `0.42 ms`, `38 ms`, `1.3 s`, `2.5 min`. */
export const took = (ms: number): string => {
  if (ms < 9.95) return `${ms.toFixed(ms < 0.995 ? 2 : 1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  return `${(ms / 60_000).toFixed(1)} min`
}

/** The same, but to the millisecond for a minute: neighbours lie milliseconds apart after seconds. */
const since = (ms: number): string =>
  ms >= 999.5 && ms < 59_950 ? `${(ms / 1000).toFixed(3)} s` : ms === 0 ? '0' : took(ms)

/**
 * The traces worth showing, of many that arrive span by span from several processes.
 *
 * Law: at most so many are kept, each whole. First goes what can no longer become the trace of a retried record, last what is one;
 * among equals the oldest.
 */
import type { ReceivedSpan, ReceivedTrace } from './spans.ts'

export interface TraceStore {
  add(spans: readonly ReceivedSpan[]): void
  /** The trace of a retried record that has come to its end: from its sending if there is one, with the most runs. */
  pick(): ReceivedTrace | undefined
  readonly size: number
}

/** Of one trace: a record has some twenty. What comes later is left out. */
const MOST_SPANS = 500

type Kept = Map<string, ReceivedSpan>

export const traceStore = (most: number): TraceStore => {
  /** By id, the oldest first. */
  const traces = new Map<string, Kept>()
  const evict = () => {
    let last: { readonly id: string; readonly rank: number } | undefined
    for (const [id, spans] of traces) {
      const rank = rankOf(spans)
      if (last === undefined || rank < last.rank) last = { id, rank }
    }
    if (last !== undefined) traces.delete(last.id)
  }
  return {
    add(spans) {
      for (const span of spans) {
        const kept = traces.get(span.traceId) ?? new Map<string, ReceivedSpan>()
        // A sender that had no answer sends it again.
        if (kept.size < MOST_SPANS) kept.set(span.spanId, span)
        traces.set(span.traceId, kept)
      }
      while (traces.size > most) evict()
    },
    pick() {
      const [best] = [...traces]
        .flatMap(([traceId, kept]) => {
          const spans = [...kept.values()]
          return isFinished(spans) ? [{ traceId, spans, merit: meritOf(spans) }] : []
        })
        .sort((a, b) => b.merit - a.merit)
      return best && { traceId: best.traceId, spans: best.spans }
    },
    get size() {
      return traces.size
    },
  }
}

const does = (span: ReceivedSpan, verb: string): boolean => span.name.startsWith(`${verb} `)
const outcomeOf = ({ attributes }: ReceivedSpan) => attributes['millrace.outcome']
const isAttempt = (span: ReceivedSpan): boolean => Number(span.attributes['millrace.attempt'] ?? 0) >= 2

/** What may still come of it. */
const rankOf = (kept: Kept): number => {
  const spans = [...kept.values()]
  if (spans.some(isAttempt)) return 3
  const processed = spans.filter((span) => does(span, 'process'))
  if (processed.some((span) => outcomeOf(span) === 'retry')) return 2
  return processed.length === 0 ? 1 : 0
}

/** Nothing is known of a record between its runs; the settling is the last that happens to it. */
const isFinished = (spans: readonly ReceivedSpan[]): boolean =>
  spans.some((span) => does(span, 'process')) &&
  spans.some(isAttempt) &&
  spans.some((span) => does(span, 'settle'))

/** First of all it begins at the beginning and misses no parent; then the more runs the better; then the better end. */
const meritOf = (spans: readonly ReceivedSpan[]): number => {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const orphans = spans.filter(({ parentId }) => parentId !== undefined && !ids.has(parentId))
  const isWhole = orphans.length === 0 && spans.some((span) => does(span, 'send'))
  const runs = Math.max(0, ...spans.map(({ attributes }) => Number(attributes['millrace.attempt'] ?? 0)))
  const isDone = spans.some((span) => does(span, 'settle') && outcomeOf(span) === 'done')
  return (isWhole ? 1000 : 0) + Math.min(runs, 100) * 2 + (isDone ? 1 : 0)
}

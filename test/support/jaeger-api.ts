/** What Jaeger's JSON API answers, as trees of spans. Pure. */

type Tags = Readonly<Record<string, string | number | boolean>>

export interface SpanRef {
  readonly traceId: string
  readonly spanId: string
}

export interface JaegerSpan {
  readonly spanId: string
  readonly name: string
  readonly service: string
  /** `internal`, `producer`, `consumer`, `client`, `server`. */
  readonly kind: string
  /** Since 1970, microseconds. */
  readonly startUs: number
  readonly durationUs: number
  readonly tags: Tags
  /** Attributes of the resource. */
  readonly resource: Tags
  /** References FOLLOWS_FROM. */
  readonly links: readonly SpanRef[]
  /** By start. */
  readonly children: readonly JaegerSpan[]
}

export interface JaegerTrace {
  readonly traceId: string
  /** Spans whose parent is not there: one, where the whole trace has arrived. */
  readonly roots: readonly JaegerSpan[]
}

interface Reference {
  readonly refType: 'CHILD_OF' | 'FOLLOWS_FROM'
  readonly traceID: string
  readonly spanID: string
}

interface Tag {
  readonly key: string
  readonly value: string | number | boolean
}

interface ApiSpan {
  readonly traceID: string
  readonly spanID: string
  readonly operationName: string
  readonly references: readonly Reference[]
  readonly startTime: number
  readonly duration: number
  readonly tags: readonly Tag[]
  readonly processID: string
}

export interface ApiTrace {
  readonly traceID: string
  readonly spans: readonly ApiSpan[]
  readonly processes: Readonly<
    Record<string, { readonly serviceName: string; readonly tags?: readonly Tag[] }>
  >
}

const tagsOf = (tags: readonly Tag[] = []): Tags =>
  Object.fromEntries(tags.map(({ key, value }) => [key, value]))

const parentOf = ({ traceID, references }: ApiSpan): string | undefined =>
  references.find((to) => to.refType === 'CHILD_OF' && to.traceID === traceID)?.spanID

export const treeOf = ({ traceID, spans, processes }: ApiTrace): JaegerTrace => {
  const ids = new Set(spans.map(({ spanID }) => spanID))
  const byParent = Map.groupBy(
    spans.toSorted((a, b) => a.startTime - b.startTime),
    (span) => {
      const parent = parentOf(span)
      return parent !== undefined && ids.has(parent) ? parent : undefined
    },
  )
  const grown = (span: ApiSpan): JaegerSpan => {
    const tags = tagsOf(span.tags)
    const process = processes[span.processID]
    return {
      spanId: span.spanID,
      name: span.operationName,
      service: process?.serviceName ?? '',
      kind: String(tags['span.kind'] ?? 'internal'),
      startUs: span.startTime,
      durationUs: span.duration,
      tags,
      resource: tagsOf(process?.tags),
      links: span.references
        .filter(({ refType }) => refType === 'FOLLOWS_FROM')
        .map((to) => ({ traceId: to.traceID, spanId: to.spanID })),
      children: (byParent.get(span.spanID) ?? []).map(grown),
    }
  }
  return { traceId: traceID, roots: (byParent.get(undefined) ?? []).map(grown) }
}

/** All spans below and including these, parents first. */
export const spansOf = (roots: readonly JaegerSpan[]): readonly JaegerSpan[] =>
  roots.flatMap((span) => [span, ...spansOf(span.children)])

/** The tree as lines of names, two blanks a level: what a test compares, and says where a wait was in vain. */
export const outline = (roots: readonly JaegerSpan[], depth = 0): string =>
  roots
    .flatMap((span) => [`${'  '.repeat(depth)}${span.name}`, outline(span.children, depth + 1)])
    .filter((line) => line !== '')
    .join('\n')

/** The spans of a trace as a tree, and which of its lines to leave out where there are too many. Pure. */
import type { ReceivedSpan } from './spans.ts'

export interface Node {
  readonly span: ReceivedSpan
  /** By start. */
  readonly children: readonly Node[]
}

/** Spans whose parent is not there are roots. */
export const treesOf = (spans: readonly ReceivedSpan[]): readonly Node[] => {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const byParent = Map.groupBy(
    spans.toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs),
    ({ parentId }) => (parentId !== undefined && ids.has(parentId) ? parentId : undefined),
  )
  const grown = (span: ReceivedSpan): Node => ({
    span,
    children: (byParent.get(span.spanId) ?? []).map(grown),
  })
  return (byParent.get(undefined) ?? []).map(grown)
}

/** Parents first. */
export const flat = (nodes: readonly Node[]): readonly Node[] =>
  nodes.flatMap((node) => [node, ...flat(node.children)])

/** A stage of its parent, such as `commit`; the others are named by what is done and a topic. */
export const isStage = ({ span }: Node): boolean => !span.name.includes(' ')

/** One line of the tree. */
export type Line =
  | { readonly node: Node; readonly branch: Branch }
  /** Siblings that are left out. */
  | { readonly folded: readonly Node[]; readonly branch: Branch }

/** Of each ancestor but the root and of the line itself, whether it is the last of its siblings. */
export type Branch = readonly boolean[]

/** At most so many lines if that can be: short stages go first, then late runs, then what is deepest; never a root. */
export const linesOf = (roots: readonly Node[], most: number): readonly Line[] => {
  const hidden = new Set<Node>()
  const shown = () => laidOut(roots, hidden, [])
  for (let lines = shown(); lines.length > most; lines = shown()) {
    const next = leastOf(roots, hidden)
    if (next === undefined) return lines
    hidden.add(next)
  }
  return laidOut(roots, new Set([...hidden].filter((node) => !isAlone(node, roots, hidden))), [])
}

/** What is folded alone would take the line that says so. */
const isAlone = (node: Node, roots: readonly Node[], hidden: ReadonlySet<Node>): boolean => {
  const siblings = flat(roots).find(({ children }) => children.includes(node))?.children ?? []
  const folded = siblings.filter((one) => hidden.has(one) && isStage(one) === isStage(node))
  return folded.length === 1 && node.children.length === 0
}

const leastOf = (roots: readonly Node[], hidden: ReadonlySet<Node>): Node | undefined => {
  const leaves = flat(roots).filter(
    (node) => !hidden.has(node) && !roots.includes(node) && node.children.every((child) => hidden.has(child)),
  )
  const rank = (node: Node): number => (isStage(node) ? 0 : node.children.length === 0 ? 1 : 2)
  const length = ({ span }: Node): number => span.endMs - span.startMs
  const [least] = leaves.toSorted(
    (a, b) => rank(a) - rank(b) || (isStage(a) ? length(a) - length(b) : b.span.startMs - a.span.startMs),
  )
  return least
}

/** Stages and other children are folded apart, each where its first one stood. */
const laidOut = (nodes: readonly Node[], hidden: ReadonlySet<Node>, above: Branch): readonly Line[] => {
  const folded = Map.groupBy(
    nodes.filter((node) => hidden.has(node)),
    isStage,
  )
  const firsts = new Set([...folded.values()].map(([first]) => first))
  const items = nodes.filter((node) => !hidden.has(node) || firsts.has(node))
  return items.flatMap((node, index): readonly Line[] => {
    const branch = [...above, index === items.length - 1]
    if (hidden.has(node)) return [{ folded: folded.get(isStage(node)) ?? [], branch }]
    return [{ node, branch }, ...laidOut(node.children, hidden, branch)]
  })
}

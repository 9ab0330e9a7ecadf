/** What OpenSearch said of each document of a bulk: pure. */
import { typeName } from './failures.ts'

export interface BulkItem {
  readonly id: string
  readonly status: number
  readonly error?: unknown
}

export type Verdict =
  | { readonly verdict: 'stored' }
  /** The index cannot take it now: busy, read-only, closed, or gone. */
  | { readonly verdict: 'again'; readonly reason: string; readonly indexIsGone: boolean }
  /** The user may not write here. */
  | { readonly verdict: 'forbidden'; readonly reason: string }
  /** The document itself can never be stored as it is. */
  | { readonly verdict: 'rejected'; readonly code: string; readonly reason: string }

/** These speak of the index, whatever their status: the document is as good as any. */
const ofTheIndex = new Set([
  'cluster_block_exception',
  'index_block_exception',
  'index_closed_exception',
  'index_not_found_exception',
])

/** @param fields those of our mapping: only such a name may be repeated, any other may be data */
export const judge = ({ status, error }: BulkItem, fields: ReadonlySet<string>): Verdict => {
  if (status >= 200 && status < 300) return { verdict: 'stored' }
  const type = typeName(error)
  const reason = `it answers ${status} ${type}`.trim()
  if (ofTheIndex.has(type) || status === 429 || status === 404 || status >= 500)
    return { verdict: 'again', reason, indexIsGone: status === 404 }
  if (status === 401 || status === 403) return { verdict: 'forbidden', reason }
  const field = fieldIn(error, fields)
  const where = field === undefined ? '' : ` at field ${field}`
  return {
    verdict: 'rejected',
    code: `opensearch:${type || status}`,
    reason: `OpenSearch answers ${status} ${type}${where}`,
  }
}

/** Its text quotes the document: no more than a name that is ours anyway is taken from it. */
const fieldIn = (error: unknown, fields: ReadonlySet<string>): string | undefined => {
  const text = typeof error === 'object' && error !== null && 'reason' in error ? error.reason : undefined
  const name = typeof text === 'string' ? /field \[([^\]]+)\]/.exec(text)?.[1] : undefined
  return name !== undefined && fields.has(name) ? name : undefined
}

/** Undefined where the answer is not about exactly these documents: then nothing is known of any. */
export const itemsOf = (body: unknown, ids: readonly string[]): readonly BulkItem[] | undefined => {
  const items = typeof body === 'object' && body !== null && 'items' in body ? body.items : undefined
  if (!Array.isArray(items) || items.length !== ids.length) return undefined
  const found = items.map(itemOf)
  return found.every((item, at): item is BulkItem => item !== undefined && item.id === ids[at])
    ? found
    : undefined
}

const itemOf = (item: unknown): BulkItem | undefined => {
  const { index } = (item ?? {}) as { readonly index?: Readonly<Record<string, unknown>> }
  const { _id: id, status, error } = index ?? {}
  return typeof id === 'string' && typeof status === 'number' ? { id, status, error } : undefined
}

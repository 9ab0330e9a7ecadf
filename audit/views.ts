/**
 * Redis against what its parts must be. Publishing follows the commit by a moment, so a difference is looked at again
 * until it is gone or the patience is; a slot that commits meanwhile has no moment at which it could be compared.
 */
import { MillraceError, messageOf } from '../cluster/errors.ts'
import { pause } from '../cluster/kafka/failures.ts'
import { slotOf } from '../cluster/protocol/names.ts'
import type { Position } from '../cluster/protocol/state.ts'
import type { SlotHead, ViewReader, WindowParts } from '../cluster/redis/views-read.ts'
import { type Aggregate, type Aggregates, decode, type Value } from '../pipelines/api/aggregates.ts'
import type { TopicMismatch } from './mismatch.ts'
import { tableOf, type WindowEntry, type WindowMismatch, type WindowTable } from './window-table.ts'

/** What is stored of an aggregate; undefined where it is not of its fold. */
export const entryOf = (
  aggregates: Aggregates,
  aggregate: string,
  start: number,
  json: unknown,
): WindowEntry[] => {
  const fold = aggregates[aggregate]
  return fold === undefined ? [] : [{ aggregate, start, value: decoded(fold, json) }]
}

const decoded = (fold: Aggregate, json: unknown): Value | undefined => {
  try {
    return decode(fold, json)
  } catch {
    return undefined
  }
}

export interface Views {
  readonly heads: ReadonlyMap<number, SlotHead>
  readonly tables: ReadonlyMap<number, WindowTable>
}

/** @throws MillraceError `redis-unreachable` */
export const readViews = async (
  reader: ViewReader,
  pipeline: string,
  aggregates: Aggregates,
): Promise<Views> => {
  const read = async () => [await reader.heads(pipeline), await reader.parts(pipeline)] as const
  const [heads, windows] = await read().catch((error: unknown) => {
    const why = messageOf(error)
    throw new MillraceError('redis-unreachable', `Redis does not answer the audit: ${why}`, { cause: error })
  })
  return {
    heads: new Map(heads.map((head) => [head.slot, head])),
    tables: bySlot(windows, aggregates),
  }
}

const bySlot = (windows: readonly WindowParts[], aggregates: Aggregates): Map<number, WindowTable> => {
  const entries = windows.flatMap(({ start, parts }) =>
    parts.flatMap((part) =>
      entryOf(aggregates, part.aggregate, start, part.value).map((entry) => ({ slot: part.slot, entry })),
    ),
  )
  const grouped = Map.groupBy(entries, ({ slot }) => slot)
  return new Map([...grouped].map(([slot, some]) => [slot, tableOf(some.map(({ entry }) => entry))]))
}

/** Slots that counted something between the two. Passing control batches changes no number. */
export const busySlots = (
  before: ReadonlyMap<number, Position>,
  after: ReadonlyMap<number, Position>,
  slots: number,
): ReadonlySet<number> => {
  const numbers = (position: Position | undefined) =>
    position && JSON.stringify([position.counters, position.watermark])
  const changed = [...after].filter(
    ([partition, position]) => numbers(before.get(partition)) !== numbers(position),
  )
  return new Set(changed.map(([partition]) => slotOf(partition, slots)))
}

export interface ViewsComparison {
  /** ms until a difference counts. */
  readonly wait: number
  readonly signal: AbortSignal | undefined
  readonly read: () => Promise<Views>
  /** The newest positions' busy slots, seen after the views were read. */
  readonly busy: () => Promise<ReadonlySet<number>>
  readonly compare: (views: Views) => readonly (WindowMismatch | TopicMismatch)[]
}

export interface ViewsVerdict {
  readonly mismatches: readonly (WindowMismatch | TopicMismatch)[]
  /** Slots that could not be compared, because they ran on. */
  readonly busy: readonly number[]
}

const AGAIN_MS = 100

export const compareViews = async (options: ViewsComparison): Promise<ViewsVerdict> => {
  const until = performance.now() + options.wait
  for (;;) {
    const differing = options.compare(await options.read())
    if (differing.length === 0) return { mismatches: [], busy: [] }
    const busy = await options.busy()
    const mismatches = differing.filter(({ slot }) => !busy.has(slot))
    if (mismatches.length === 0 || performance.now() >= until || options.signal?.aborted)
      return {
        mismatches,
        busy: [...new Set(differing.map(({ slot }) => slot))].filter((slot) => busy.has(slot)),
      }
    await pause(AGAIN_MS, options.signal)
  }
}

/**
 * The ledger of one slot: what its state topic says, as a value. Pure: `restore` and `advance` take a state and give a
 * state; the shard writes the records that `advance` names in the same transaction as the batches they belong to.
 *
 * Laws: a state equals the fold of its own records in order; `advance` never changes the state it was given, so that an
 * aborted transaction leaves nothing behind; the watermark never falls; what is late is decided here, in commit order.
 */
import {
  type Claim,
  type Counters,
  type Meta,
  type Position,
  parseStateKey,
  stateKey,
} from '../cluster/protocol/state.ts'
import {
  type Aggregate,
  type Aggregates,
  decode,
  encode,
  merge,
  sizeOf,
} from '../pipelines/api/aggregates.ts'
import type { Batch, BatchRules } from '../pipelines/api/batches.ts'
import type { WindowPart } from '../pipelines/api/folder.ts'
import type { Value } from '../pipelines/api/folds/fold.ts'
import { type Batches, batchesRecord, type Flush, restoreBatches, stepBatches } from './batches.ts'
import { hashOf } from './definitions.ts'
import { type Parked, type Returned, restoreParked, withParks, withReturned } from './retries/parked.ts'
import type { TaskResult } from './task.ts'

export interface Window {
  readonly aggregate: string
  readonly size: string
  readonly start: number
  readonly value: Value
}

export interface LedgerState {
  readonly meta: Meta | undefined
  readonly claim: Claim | undefined
  readonly positions: ReadonlyMap<number, Position>
  /** By state key. */
  readonly windows: ReadonlyMap<string, Window>
  /** Records that wait for another run, by state key. */
  readonly parked: ReadonlyMap<string, Parked>
  /** Epoch ms; the highest of all positions'. */
  readonly watermark: number
  /** Insights by count; absent before the first. */
  readonly batches: Batches | undefined
}

export const EMPTY: LedgerState = {
  meta: undefined,
  claim: undefined,
  positions: new Map(),
  windows: new Map(),
  parked: new Map(),
  watermark: 0,
  batches: undefined,
}

/** A record of the state topic; null deletes. */
export interface StateRecord {
  readonly key: string
  /** Written as JSON, but for bytes. */
  readonly value: unknown
}

/** One finished batch, as the commit sees it. */
export interface Finished {
  readonly partition: number
  readonly from: number
  readonly next: number
  readonly leaderEpoch: number
  /** Absent where nothing was visible: control or aborted batches only. */
  readonly result: TaskResult | undefined
  /** Of results of retries: they move no input position. */
  readonly returned?: Returned | undefined
}

export interface Advance {
  readonly state: LedgerState
  readonly records: readonly StateRecord[]
  /** State keys of windows that changed or closed (their value is absent from `state` then). */
  readonly changed: readonly string[]
  /** Batches of insights that these records have filled, or an order has flushed. */
  readonly published: readonly Batch[]
  /** State keys of records that were parked or settled, or failed again. */
  readonly parked: readonly string[]
}

/** Insights by count: the rules of the pipeline, and the newest order to flush. */
export interface BatchWork {
  readonly rules: BatchRules
  readonly slot: number
  readonly flush?: Flush | undefined
}

/** Applies records of the state topic in their order. Mutates only what it makes. */
export const restore = (aggregates: Aggregates, records: Iterable<StateRecord>): LedgerState => {
  const positions = new Map<number, Position>()
  const windows = new Map<string, Window>()
  let meta: Meta | undefined
  let claim: Claim | undefined
  let batches: Batches | undefined
  const parked = new Map<string, Parked>()
  for (const { key, value } of records) {
    const parsed = parseStateKey(key)
    if (parsed?.kind === 'meta') meta = value as Meta
    else if (parsed?.kind === 'claim') claim = value as Claim
    else if (parsed?.kind === 'insights') batches = restoreBatches(aggregates, value)
    else if (parsed?.kind === 'position') positions.set(parsed.partition, value as Position)
    else if (parsed?.kind === 'window')
      restoreWindow(windows, key, parsed, value, aggregates[parsed.aggregate])
    else if (parsed?.kind === 'retry' || parsed?.kind === 'tried') restoreParked(parked, parsed, value)
  }
  const watermark = Math.max(0, ...[...positions.values()].map((position) => position.watermark))
  return { meta, claim, positions, windows, parked, watermark, batches }
}

const restoreWindow = (
  windows: Map<string, Window>,
  key: string,
  at: { readonly aggregate: string; readonly size: string; readonly start: number },
  value: unknown,
  aggregate: Aggregate | undefined,
): void => {
  windows.delete(key)
  const stored = value as { readonly hash: string; readonly value: unknown } | null
  // A definition that changed leaves its old windows alone and starts new ones.
  if (stored === null || aggregate === undefined || stored.hash !== hashOf(aggregate)) return
  const { aggregate: name, size, start } = at
  windows.set(key, { aggregate: name, size, start, value: decode(aggregate, stored.value) })
}

export const NO_COUNTERS: Counters = { done: 0, dead: 0, dropped: 0, late: 0, parked: 0 }

export const firstPosition = (next: number, topicId: string): Position => ({
  next,
  first: next,
  topicId,
  leaderEpoch: -1,
  retried: 0,
  counters: NO_COUNTERS,
  watermark: 0,
})

/** End of a window that is closed to late records at this watermark, or later. */
const isClosed = (aggregate: Aggregate, start: number, watermark: number): boolean =>
  aggregate.span === 'window' && start + aggregate.size <= watermark - aggregate.retention

/** True where the batch folded into a window that earlier commits have closed meanwhile: it must run again under the present watermark. */
export const isOutdated = (state: LedgerState, aggregates: Aggregates, result: TaskResult): boolean =>
  result.folded.windows.some((part) => {
    const aggregate = aggregates[part.aggregate]
    return aggregate !== undefined && isClosed(aggregate, part.start, state.watermark)
  })

/**
 * The state after these batches are committed, and the records that say so.
 * @param now epoch ms: the watermark never passes it
 * @throws whatever the pipeline's `insights.messages` throws
 */
export const advance = (
  state: LedgerState,
  aggregates: Aggregates,
  batches: readonly Finished[],
  now: number,
  work?: BatchWork,
): Advance => {
  const windows = new Map(state.windows)
  const changed = new Set<string>()
  let watermark = state.watermark
  const step = work && countDone(state, batches, now, work)
  for (const [aggregate, value] of step?.totals ?? [])
    changed.add(mergePart(windows, aggregates, { aggregate, start: 0, value }))
  for (const { result } of batches) {
    if (result === undefined) continue
    for (const part of result.folded.windows) changed.add(mergePart(windows, aggregates, part))
    watermark = Math.max(watermark, Math.min(result.folded.latest, now))
  }
  for (const key of closedWindows(windows, aggregates, state.watermark, watermark)) {
    windows.delete(key)
    changed.add(key)
  }
  const positions = new Map(state.positions)
  const moved = new Set<number>()
  const waiting = parkedOf(state, batches, positions, moved)
  for (const batch of batches) {
    if (batch.returned !== undefined) continue
    positions.set(batch.partition, movedPosition(positions.get(batch.partition), batch))
    moved.add(batch.partition)
  }
  for (const partition of moved) {
    const position = positions.get(partition)
    if (position !== undefined) positions.set(partition, { ...position, watermark })
  }
  const { parked } = waiting
  const next = { ...state, positions, windows, parked, watermark, batches: step?.batches ?? state.batches }
  const records = [...recordsOf(next, aggregates, moved, changed), ...waiting.records]
  if (step !== undefined)
    records.push({ key: stateKey.insights, value: batchesRecord(aggregates, step.batches) })
  const published = step?.published ?? []
  return { state: next, changed: [...changed], records, published, parked: waiting.keys }
}

const countDone = (state: LedgerState, batches: readonly Finished[], now: number, work: BatchWork) => {
  const rows = batches.flatMap(({ result }) => result?.rows ?? [])
  const done = [...state.positions.values()].reduce((sum, { counters }) => sum + counters.done, 0)
  const before = (name: string) => state.windows.get(stateKey.window(name, 'total', 0))?.value
  const { slot, rules, flush } = work
  return stepBatches(rules, state.batches, rows, { slot, now, done, before, flush })
}

/** What the batches park, and what results of retries settle; their counts go into the positions. */
const parkedOf = (
  state: LedgerState,
  batches: readonly Finished[],
  positions: Map<number, Position>,
  moved: Set<number>,
) => {
  let waiting = withParks(state.parked, state.claim?.claimId ?? '', batches)
  for (const { partition, result, returned } of batches) {
    if (returned === undefined) continue
    waiting = withReturned(waiting, partition, returned)
    const position = positions.get(partition)
    if (position === undefined) throw new Error(`a result for partition ${partition}, which has no position`)
    const { done = 0, dead = 0, dropped = 0, late = 0 } = result ?? {}
    const counters = addCounters(position.counters, { done, dead, dropped, late }, -returned.settled.length)
    positions.set(partition, { ...position, counters, retried: returned.next ?? position.retried })
    moved.add(partition)
  }
  return waiting
}

const mergePart = (windows: Map<string, Window>, aggregates: Aggregates, part: WindowPart): string => {
  const aggregate = aggregates[part.aggregate]
  if (aggregate === undefined) throw new Error(`a batch folded an unknown aggregate ${part.aggregate}`)
  const size = sizeOf(aggregate)
  const key = stateKey.window(part.aggregate, size, part.start)
  const before = windows.get(key)
  const value = before === undefined ? part.value : merge(aggregate, before.value, part.value)
  windows.set(key, { aggregate: part.aggregate, size, start: part.start, value })
  return key
}

/** Looked for only when the watermark rose. */
const closedWindows = (
  windows: ReadonlyMap<string, Window>,
  aggregates: Aggregates,
  before: number,
  after: number,
): string[] => {
  if (after === before) return []
  const isOver = ([, window]: [string, Window]) => {
    const aggregate = aggregates[window.aggregate]
    return aggregate !== undefined && isClosed(aggregate, window.start, after)
  }
  return [...windows].filter(isOver).map(([key]) => key)
}

const movedPosition = (position: Position | undefined, batch: Finished): Position => {
  if (position === undefined || position.next !== batch.from)
    throw new Error(
      `partition ${batch.partition} stands at ${position?.next}, the batch begins at ${batch.from}`,
    )
  const { counters } = position
  const { result } = batch
  const counted = result === undefined ? counters : addCounters(counters, result, result.parks.length)
  const leaderEpoch = Math.max(position.leaderEpoch, batch.leaderEpoch)
  return { ...position, next: batch.next, leaderEpoch, counters: counted }
}

const addCounters = (
  counters: Counters,
  result: Pick<TaskResult, 'done' | 'dead' | 'dropped' | 'late'>,
  parked: number,
): Counters => ({
  done: counters.done + result.done,
  dead: counters.dead + result.dead,
  dropped: counters.dropped + result.dropped,
  late: counters.late + result.late,
  parked: counters.parked + parked,
})

const recordsOf = (
  state: LedgerState,
  aggregates: Aggregates,
  moved: ReadonlySet<number>,
  changed: ReadonlySet<string>,
): StateRecord[] => {
  const positions = [...moved].map((partition) => ({
    key: stateKey.position(partition),
    value: state.positions.get(partition),
  }))
  const windows = [...changed].map((key) => {
    const window = state.windows.get(key)
    const aggregate = window && aggregates[window.aggregate]
    if (window === undefined || aggregate === undefined) return { key, value: null }
    return { key, value: { hash: hashOf(aggregate), value: encode(aggregate, window.value) } }
  })
  return [...positions, ...windows]
}

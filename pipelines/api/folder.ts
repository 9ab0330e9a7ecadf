/**
 * Folds the done records of one batch into one part per aggregate and window.
 *
 * Which windows take a record is fixed when the folder is made, so that a batch has one answer:
 * - late: the window ended `retention` or more before the watermark;
 * - early: the window begins more than a day after `now`;
 * - no event time: negative, or no number.
 * Such a record is left out of that aggregate and named by `add`; the output carries the names (`millrace-late`), so a
 * recount, which knows neither watermark nor clock, leaves it out too (`recount`). Nobody can open endless windows.
 * Totals have no window: they take every record.
 */
import { type Aggregate, type Aggregates, cellOf, ERROR_CLASS } from './aggregates.ts'
import type { AnyPipeline, JsonObject } from './define.ts'
import type { Cell, Value } from './folds/fold.ts'

const DAY = 86_400_000

export interface WindowPart {
  readonly aggregate: string
  /** Epoch ms; 0 for a total. */
  readonly start: number
  readonly value: Value
}

export interface Folded {
  readonly windows: readonly WindowPart[]
  /** Greatest event time folded into a window, epoch ms; -1 where none was. The watermark rises to min(this, wall clock). */
  readonly latest: number
}

/**
 * What is folded batch by batch. With insights by count the slot's totals are not among it: they are folded record by
 * record, so that they stand as they were at the record that fills a batch (`countedAggregates`).
 */
export const foldedAggregates = (pipeline: AnyPipeline): Aggregates =>
  only(pipeline, (aggregate) => !isCounted(pipeline, aggregate))

/** What is folded record by record, in the order of the commits; empty without insights by count. */
export const countedAggregates = (pipeline: AnyPipeline): Aggregates =>
  only(pipeline, (aggregate) => isCounted(pipeline, aggregate))

const isCounted = ({ insights }: AnyPipeline, { span, fold }: Aggregate): boolean =>
  insights !== undefined && span !== 'window' && fold !== 'errors'

const only = ({ aggregates }: AnyPipeline, wanted: (aggregate: Aggregate) => boolean): Aggregates =>
  Object.fromEntries(Object.entries(aggregates ?? {}).filter(([, aggregate]) => wanted(aggregate)))

export interface FolderLimits {
  /** Epoch ms; 0 at the beginning. */
  readonly watermark: number
  /** Epoch ms. */
  readonly now: number
}

const NONE: readonly string[] = []

export class Folder {
  readonly #groups: readonly SpanGroup[]
  /** Names of the aggregates of errors. */
  readonly #errors: readonly string[]
  readonly #aggregates: Aggregates
  #errorCells = new Map<string, Cell>()
  constructor(aggregates: Aggregates, limits: FolderLimits) {
    this.#aggregates = aggregates
    this.#groups = groupsOf(aggregates, limits)
    this.#errors = Object.keys(aggregates).filter((name) => aggregates[name]?.fold === 'errors')
  }

  /** Names of the aggregates that left the record out. */
  add(value: JsonObject, eventTime: number): readonly string[] {
    let out = NONE
    for (const group of this.#groups)
      if (!group.add(value, eventTime)) out = out.length === 0 ? group.names : [...out, ...group.names]
    return out
  }

  /** For a recount: folds without judging, but for the aggregates that left the record out when it was written. */
  recount(value: JsonObject, eventTime: number, leftOut: readonly string[]): void {
    for (const group of this.#groups) group.fold(value, eventTime, leftOut)
  }

  /** A dead letter of that class. */
  error(errorClass: string): void {
    for (const name of this.#errors) {
      const aggregate = this.#aggregates[name]
      if (aggregate === undefined) continue
      const cell = this.#errorCells.get(name) ?? cellOf(aggregate)
      this.#errorCells.set(name, cell)
      cell.add({ [ERROR_CLASS]: errorClass })
    }
  }

  /** What was folded since the last take. */
  take(): Folded {
    const windows: WindowPart[] = []
    let latest = -1
    for (const [aggregate, cell] of this.#errorCells)
      windows.push({ aggregate, start: 0, value: cell.value() })
    this.#errorCells = new Map()
    for (const group of this.#groups) {
      latest = Math.max(latest, group.latest)
      group.take(windows)
    }
    return { windows, latest }
  }
}

/** Aggregates that share their windows: one look-up serves them all. */
const groupsOf = (aggregates: Aggregates, { watermark, now }: FolderLimits): readonly SpanGroup[] => {
  const groups = new Map<string, SpanGroup>()
  for (const [name, aggregate] of Object.entries(aggregates)) {
    if (aggregate.fold === 'errors') continue
    const windowed = aggregate.span === 'window'
    const key = windowed ? `${aggregate.size}/${aggregate.retention}` : ''
    const size = windowed ? aggregate.size : Number.POSITIVE_INFINITY
    const floor = windowed ? watermark - aggregate.retention : Number.NEGATIVE_INFINITY
    const group = groups.get(key) ?? new SpanGroup(size, floor, now + DAY)
    groups.set(key, group)
    group.names.push(name)
    group.aggregates.push(aggregate)
  }
  return [...groups.values()]
}

class SpanGroup {
  readonly names: string[] = []
  readonly aggregates: Aggregate[] = []
  latest = -1
  readonly #size: number
  readonly #floor: number
  readonly #horizon: number
  #windows = new Map<number, readonly Cell[]>()
  /** The window of the last record: most records fall where the one before fell. */
  #start = Number.NaN
  #end = Number.NaN
  #cells: readonly Cell[] = []

  constructor(size: number, floor: number, horizon: number) {
    this.#size = size
    this.#floor = floor
    this.#horizon = horizon
  }

  /** False where no window takes the record. */
  add(value: JsonObject, eventTime: number): boolean {
    if (!this.#holds(eventTime) && !this.#isOpen(eventTime)) return false
    this.fold(value, eventTime)
    return true
  }

  fold(value: JsonObject, eventTime: number, leftOut = NONE): void {
    if (leftOut.length > 0 && this.names.every((name) => leftOut.includes(name))) return
    if (!this.#holds(eventTime)) this.#turnTo(eventTime)
    if (eventTime > this.latest && this.#size !== Number.POSITIVE_INFINITY) this.latest = eventTime
    if (leftOut.length === 0) for (const cell of this.#cells) cell.add(value)
    else
      for (const [i, cell] of this.#cells.entries())
        if (!leftOut.includes(this.names[i] ?? '')) cell.add(value)
  }

  take(into: WindowPart[]): void {
    for (const [start, cells] of this.#windows)
      for (const [i, cell] of cells.entries())
        into.push({ aggregate: this.names[i] ?? '', start, value: cell.value() })
    this.#windows = new Map()
    this.#start = Number.NaN
    this.#end = Number.NaN
    this.latest = -1
  }

  #holds(eventTime: number): boolean {
    return eventTime >= this.#start && eventTime < this.#end
  }

  #isOpen(eventTime: number): boolean {
    if (this.#size === Number.POSITIVE_INFINITY) return true
    if (!(eventTime >= 0)) return false
    const start = eventTime - (eventTime % this.#size)
    return start + this.#size > this.#floor && start <= this.#horizon
  }

  #turnTo(eventTime: number): void {
    const total = this.#size === Number.POSITIVE_INFINITY
    this.#start = total ? 0 : eventTime - (eventTime % this.#size)
    this.#end = this.#start + this.#size
    let cells = this.#windows.get(this.#start)
    if (cells === undefined) {
      cells = this.aggregates.map(cellOf)
      this.#windows.set(this.#start, cells)
    }
    this.#cells = cells
  }
}

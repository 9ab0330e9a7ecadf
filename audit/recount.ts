/**
 * Counts the aggregates again, slot by slot: each done record once, without those that were late, and without windows that
 * are closed at the slot's watermark (nobody holds them any more); each dead letter once under the class of its code.
 */
import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import { slotOf } from '../cluster/protocol/names.ts'
import type { Aggregate, Aggregates } from '../pipelines/api/aggregates.ts'
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'
import { errorClassOf, eventTimeOf } from '../pipelines/api/execute.ts'
import { Folder } from '../pipelines/api/folder.ts'
import { openFrom, tableOf, type WindowTable } from './window-table.ts'

const NONE: readonly string[] = []

/** Those that the state keeps in windows: batches of insights by count have none. */
export const windowedOf = ({ aggregates = {} }: AnyPipeline): Aggregates =>
  Object.fromEntries(Object.entries(aggregates).filter(([, { span }]) => span !== 'batch'))

export const isOfErrors = (aggregate: Aggregate | undefined): boolean => aggregate?.fold === 'errors'

/** Whose fate it is that is counted. */
export interface Counted {
  readonly partition: number
  readonly offset: number
  /** Aggregates that left the record out. */
  readonly late: readonly string[]
  /** It was settled after others behind it: at a time its offset does not tell. */
  readonly retried: boolean
}

interface SlotCount {
  readonly folder: Folder
  /** Of each errors aggregate by itself: not all count since the same offset. */
  readonly errors: readonly (readonly [name: string, folder: Folder])[]
  readonly watermark: number
  /** Event times from there on have all their windows open. */
  readonly allOpenFrom: number
}

export class Recount {
  readonly #pipeline: AnyPipeline
  readonly #done: readonly (readonly [name: string, aggregate: Aggregate])[]
  readonly #errors: readonly (readonly [name: string, aggregate: Aggregate])[]
  readonly #slots: number
  readonly #watermarks: ReadonlyMap<number, number>
  readonly #since: ReadonlyMap<string, ReadonlyMap<number, number>>
  readonly #counts = new Map<number, SlotCount>()
  readonly #unclear = new Set<string>()

  /**
   * @param watermarks by slot
   * @param since aggregate -> input partition -> offset: what lies before was counted by another definition, or not at all
   */
  constructor(
    pipeline: AnyPipeline,
    slots: number,
    watermarks: ReadonlyMap<number, number>,
    since: ReadonlyMap<string, ReadonlyMap<number, number>> = new Map(),
  ) {
    const aggregates = Object.entries(windowedOf(pipeline))
    this.#pipeline = pipeline
    this.#done = aggregates.filter(([, one]) => !isOfErrors(one))
    this.#errors = aggregates.filter(([, one]) => isOfErrors(one))
    this.#since = since
    this.#slots = slots
    this.#watermarks = watermarks
  }

  /** Whether anything is counted of done records. */
  get countsDone(): boolean {
    return this.#done.length > 0
  }

  /** Aggregates redefined while records waited for a retry that has come since: under which definition, nothing tells. */
  get unclear(): ReadonlySet<string> {
    return this.#unclear
  }

  /** @param timestamp epoch ms of the input record */
  done(value: JsonObject, timestamp: number, counted: Counted): void {
    if (!this.countsDone) return
    const time = eventTimeOf(this.#pipeline, value, timestamp)
    const count = this.#countOf(counted.partition)
    const closed = time < count.allOpenFrom ? this.#closedAt(time, count.watermark) : NONE
    const before = this.#since.size === 0 ? NONE : this.#before(this.#done, counted)
    const more = before.length === 0 ? closed : [...closed, ...before]
    count.folder.recount(value, time, more.length === 0 ? counted.late : [...counted.late, ...more])
  }

  dead(code: string, counted: Counted): void {
    if (this.#errors.length === 0) return
    const before = this.#before(this.#errors, counted)
    const errorClass = errorClassOf(this.#pipeline, code)
    for (const [name, folder] of this.#countOf(counted.partition).errors)
      if (!before.includes(name)) folder.error(errorClass)
  }

  windows(slot: number): WindowTable {
    const count = this.#counts.get(slot)
    if (count === undefined) return new Map()
    const folders = [count.folder, ...count.errors.map(([, folder]) => folder)]
    return tableOf(folders.flatMap((folder) => folder.take().windows))
  }

  #countOf(partition: number): SlotCount {
    const slot = slotOf(partition, this.#slots)
    const begun = this.#counts.get(slot)
    if (begun !== undefined) return begun
    const watermark = this.#watermarks.get(slot) ?? 0
    const limits = { watermark, now: 0 }
    const count = {
      folder: new Folder(Object.fromEntries(this.#done), limits),
      errors: this.#errors.map(([name, one]) => [name, new Folder({ [name]: one }, limits)] as const),
      watermark,
      allOpenFrom: Math.max(...this.#done.map(([, aggregate]) => openFrom(aggregate, watermark))),
    }
    this.#counts.set(slot, count)
    return count
  }

  #before(some: readonly (readonly [name: string, aggregate: Aggregate])[], counted: Counted) {
    const { partition, offset, retried } = counted
    const before = some.flatMap(([name]) =>
      offset < (this.#since.get(name)?.get(partition) ?? 0) ? [name] : [],
    )
    if (retried) for (const name of before) this.#unclear.add(name)
    return before
  }

  #closedAt(time: number, watermark: number): readonly string[] {
    return this.#done.filter(([, aggregate]) => time < openFrom(aggregate, watermark)).map(([name]) => name)
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Undefined where the value is no JSON object: no pipeline wrote it. */
export const objectOf = ({ bytes, valueStart, valueEnd }: RecordCursor): JsonObject | undefined => {
  if (valueStart < 0) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Counts the aggregates again from the outputs alone, slot by slot: each output once, without those that were late, and
 * without windows that are closed at the slot's watermark (nobody holds them any more).
 */
import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import { slotOf } from '../cluster/protocol/names.ts'
import type { Aggregate } from '../pipelines/api/aggregates.ts'
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'
import { eventTimeOf } from '../pipelines/api/execute.ts'
import { Folder } from '../pipelines/api/folder.ts'
import type { FateHeaders } from './fate-headers.ts'
import { openFrom, tableOf, type WindowTable } from './window-table.ts'

const NONE: readonly string[] = []

interface SlotCount {
  readonly folder: Folder
  readonly watermark: number
  /** Event times from there on have all their windows open. */
  readonly allOpenFrom: number
}

export class Recount {
  readonly #pipeline: AnyPipeline
  readonly #aggregates: readonly (readonly [name: string, aggregate: Aggregate])[]
  readonly #slots: number
  readonly #watermarks: ReadonlyMap<number, number>
  readonly #since: ReadonlyMap<string, ReadonlyMap<number, number>>
  readonly #counts = new Map<number, SlotCount>()

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
    this.#since = since
    this.#pipeline = pipeline
    this.#aggregates = Object.entries(pipeline.aggregates ?? {})
    this.#slots = slots
    this.#watermarks = watermarks
  }

  /** False where the value is no JSON object: no pipeline wrote it. */
  add(output: RecordCursor, headers: FateHeaders): boolean {
    if (this.#aggregates.length === 0) return true
    const value = objectOf(output)
    if (value === undefined) return false
    const time = eventTimeOf(this.#pipeline, value, headers.originalTimestamp ?? output.timestamp)
    const slot = slotOf(headers.partition, this.#slots)
    const count = this.#counts.get(slot) ?? this.#begin(slot)
    const closed = time < count.allOpenFrom ? this.#closedAt(time, count.watermark) : NONE
    const before = this.#since.size === 0 ? NONE : this.#before(headers.partition, headers.offset)
    const more = before.length === 0 ? closed : [...closed, ...before]
    count.folder.recount(value, time, more.length === 0 ? headers.late : [...headers.late, ...more])
    return true
  }

  windows(slot: number): WindowTable {
    return tableOf(this.#counts.get(slot)?.folder.take().windows ?? [])
  }

  #begin(slot: number): SlotCount {
    const watermark = this.#watermarks.get(slot) ?? 0
    const count = {
      folder: new Folder(this.#pipeline.aggregates ?? {}, { watermark, now: 0 }),
      watermark,
      allOpenFrom: Math.max(...this.#aggregates.map(([, aggregate]) => openFrom(aggregate, watermark))),
    }
    this.#counts.set(slot, count)
    return count
  }

  #before(partition: number, offset: number): readonly string[] {
    return [...this.#since].flatMap(([name, since]) => (offset < (since.get(partition) ?? 0) ? [name] : []))
  }

  #closedAt(time: number, watermark: number): readonly string[] {
    return this.#aggregates
      .filter(([, aggregate]) => time < openFrom(aggregate, watermark))
      .map(([name]) => name)
  }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const objectOf = ({ bytes, valueStart, valueEnd }: RecordCursor): JsonObject | undefined => {
  if (valueStart < 0) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The drops topic as the audit reads it: ranges of dropped offsets, and of done ones where a pipeline has no outputs. Pure. */
import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import type { DropRange } from '../cluster/protocol/drops.ts'

const NONE: readonly string[] = []

/** What is known of a done offset beside that it is done. */
export interface DoneNote {
  readonly late: readonly string[]
  readonly attempts: number
}

const PLAIN: DoneNote = { late: NONE, attempts: 1 }

/** Only ranges of which more is to be said are kept: mostly none. */
export class DoneNotes {
  readonly #ranges = new Map<number, DropRange[]>()

  take(range: DropRange): void {
    if (range.late === undefined && range.attempts === undefined) return
    const ranges = this.#ranges.get(range.partition) ?? []
    this.#ranges.set(range.partition, ranges)
    ranges.push(range)
  }

  /** For one walk over the partition: offsets asked for must rise. */
  walk(partition: number): (offset: number) => DoneNote {
    const ranges = (this.#ranges.get(partition) ?? []).toSorted((a, b) => a.from - b.from)
    let at = 0
    return (offset) => {
      while ((ranges[at]?.to ?? Number.POSITIVE_INFINITY) < offset) at++
      const range = ranges[at]
      if (range === undefined || range.from > offset) return PLAIN
      return { late: range.late ?? NONE, attempts: range.attempts ?? 1 }
    }
  }
}

/** Undefined where the record is none of Millrace's. */
export const rangeOf = ({ bytes, valueStart, valueEnd }: RecordCursor): DropRange | undefined => {
  if (valueStart < 0) return undefined
  try {
    const range: unknown = JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
    return isRange(range) ? range : undefined
  } catch {
    return undefined
  }
}

const isRange = (value: unknown): value is DropRange => {
  if (typeof value !== 'object' || value === null) return false
  const { partition, from, to, late } = value as Partial<Record<keyof DropRange, unknown>>
  const numbers = [partition, from, to].every((number) => Number.isSafeInteger(number) && Number(number) >= 0)
  return numbers && (late === undefined || isTexts(late))
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

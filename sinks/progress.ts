/**
 * What a sink has read and not committed: pure. A span is what one fetch brought of one partition.
 *
 * Laws: a position never passes a record whose fate is open; what is held falls only by a commit; a
 * rejection is committed together with the position that passes its record.
 */
import type { Chunk } from '../cluster/kafka/ports.ts'
import type { Rejection } from './documents.ts'

export class Span {
  readonly chunk: Chunk
  readonly rejections: Rejection[] = []
  /** Documents under way. */
  #open = 0
  /** Whether every record of it was handed on. */
  #whole = false

  constructor(chunk: Chunk) {
    this.chunk = chunk
  }

  opened(): void {
    this.#open++
  }

  settled(): void {
    this.#open--
  }

  handedOn(): void {
    this.#whole = true
  }

  get isSettled(): boolean {
    return this.#whole && this.#open === 0
  }
}

/** What can be committed now. */
export interface Settled {
  /** Partition -> next offset. */
  readonly positions: ReadonlyMap<number, number>
  /** In the order of their records. */
  readonly rejections: readonly Rejection[]
}

export class Progress {
  readonly #spans = new Map<number, Span[]>()
  readonly #positions: Map<number, number>
  #held = 0

  constructor(positions: ReadonlyMap<number, number>) {
    this.#positions = new Map(positions)
  }

  /** Bytes as they were fetched. */
  get held(): number {
    return this.#held
  }

  /** What is committed. */
  get positions(): ReadonlyMap<number, number> {
    return this.#positions
  }

  begin(chunk: Chunk): Span {
    const span = new Span(chunk)
    const spans = this.#spans.get(chunk.partition) ?? []
    spans.push(span)
    this.#spans.set(chunk.partition, spans)
    this.#held += chunk.bytes.length
    return span
  }

  settled(): Settled {
    const ready = [...this.#spans.values()].flatMap(settledPrefix)
    return {
      positions: new Map(ready.map(({ chunk }) => [chunk.partition, chunk.next])),
      rejections: ready.flatMap(({ rejections }) => rejections.toSorted(byOffset)),
    }
  }

  /** The very positions that `settled` gave: spans settled meanwhile wait for the next commit. */
  committed(positions: ReadonlyMap<number, number>): void {
    for (const [partition, next] of positions) {
      const spans = this.#spans.get(partition) ?? []
      const done = spans.findIndex(({ chunk }) => chunk.next === next) + 1
      for (const { chunk } of spans.splice(0, done)) {
        this.#held -= chunk.bytes.length
        chunk.release?.()
      }
      this.#positions.set(partition, next)
    }
  }
}

const byOffset = (a: Rejection, b: Rejection): number => a.record.offset - b.record.offset

const settledPrefix = (spans: readonly Span[]): readonly Span[] => {
  const open = spans.findIndex((span) => !span.isSettled)
  return open < 0 ? spans : spans.slice(0, open)
}

/** A sink that keeps what it was given, checks the law of chunks as they come, and can be waited for. */
import { EventEmitter, once } from 'node:events'
import { decodeAll } from '../../cluster/kafka/codec/records.ts'
import type { Chunk, Reader, ReadFault, ReadSink } from '../../cluster/kafka/ports.ts'

export interface Seen {
  readonly offset: number
  readonly value: string
}

export class Collector implements ReadSink {
  readonly chunks: Chunk[] = []
  readonly faults: ReadFault[] = []
  readonly records: Seen[] = []
  /** What broke the law, in words; empty at the end of every test. */
  readonly broken: string[] = []
  open = true
  full = false
  next: number
  readonly #partition: number
  readonly #signal = new EventEmitter().setMaxListeners(0)

  constructor(partition: number, from: number) {
    this.#partition = partition
    this.next = from
  }

  readonly wants = (): boolean => !this.full
  readonly fault = (fault: ReadFault): void => {
    this.faults.push(fault)
    this.#signal.emit('more')
  }
  readonly chunk = (chunk: Chunk): void => {
    this.#judge(chunk)
    this.chunks.push(chunk)
    for (const { start, end } of chunk.batches)
      for (const { offset, value } of decodeAll(chunk.bytes.subarray(start, end)))
        if (offset >= chunk.from) this.records.push({ offset, value: value?.toString() ?? '' })
    this.next = chunk.next
    this.#signal.emit('more')
  }

  #judge({ partition, from, next, batches, records }: Chunk): void {
    const must = (holds: boolean, law: string) => {
      if (!holds) this.broken.push(`${law} (chunk ${this.chunks.length})`)
    }
    must(this.open, 'a chunk after close')
    must(partition === this.#partition, 'a chunk of another partition')
    must(from === this.next, `chunk from ${from} after next ${this.next}`)
    must(next > from, 'a chunk that does not advance')
    must(records === batches.reduce((sum, batch) => sum + batch.records, 0), 'records are not counted right')
    let below = -1
    for (const { baseOffset, lastOffset } of batches) {
      must(baseOffset > below && lastOffset >= from && lastOffset < next, 'a batch out of order or range')
      below = lastOffset
    }
  }

  get values(): string[] {
    return this.records.map(({ value }) => value)
  }

  async #until(done: () => boolean): Promise<this> {
    while (!done()) await once(this.#signal, 'more')
    return this
  }
  count(records: number): Promise<this> {
    return this.#until(() => this.records.length >= records)
  }
  position(offset: number): Promise<this> {
    return this.#until(() => this.next >= offset)
  }
  async faulted(): Promise<ReadFault | undefined> {
    await this.#until(() => this.faults.length > 0)
    return this.faults[0]
  }
}

export const collect = (reader: Reader, partition: number, from: number): Collector => {
  const collector = new Collector(partition, from)
  reader.open(partition, from, collector)
  return collector
}

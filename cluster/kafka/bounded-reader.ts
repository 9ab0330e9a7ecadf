/** A Reader that ends: what lies at or beyond a partition's bound is never handed over. Obeys the law of the port. */
import type { Chunk, Reader } from './ports.ts'

/** @param bounds exclusive, by partition; a partition without one is read on */
export const boundedReader = (reader: Reader, bounds: ReadonlyMap<number, number>): Reader => ({
  open(partition, offset, sink) {
    const bound = bounds.get(partition) ?? Number.POSITIVE_INFINITY
    if (offset >= bound) return
    const chunk = (whole: Chunk) => {
      if (whole.next >= bound) reader.close(partition)
      sink.chunk(whole.next <= bound ? whole : cut(whole, bound))
    }
    reader.open(partition, offset, { ...sink, chunk })
  },
  wake: () => reader.wake(),
  close: (partition) => reader.close(partition),
  stop: () => reader.stop(),
})

/** A batch across the bound stays: whoever runs it looks at `next`. */
const cut = (chunk: Chunk, bound: number): Chunk => {
  const batches = chunk.batches.filter((batch) => batch.baseOffset < bound)
  return { ...chunk, next: bound, batches, records: batches.reduce((sum, batch) => sum + batch.records, 0) }
}

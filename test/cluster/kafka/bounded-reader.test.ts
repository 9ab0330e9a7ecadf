import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { boundedReader } from '../../../cluster/kafka/bounded-reader.ts'
import type { Chunk, Reader, ReadFault, ReadSink } from '../../../cluster/kafka/ports.ts'

const chunkOf = (from: number, ...sizes: readonly number[]): Chunk => {
  let at = from
  const batches = sizes.map((records, i) => {
    const baseOffset = at
    at += records
    return { start: i, end: i + 1, baseOffset, lastOffset: at - 1, records, maxTimestamp: 0 }
  })
  const records = sizes.reduce((sum, size) => sum + size, 0)
  return {
    partition: 0,
    from,
    next: at,
    bytes: Buffer.alloc(sizes.length),
    batches,
    records,
    leaderEpoch: 0,
    lastStableOffset: at,
  }
}

/** A reader by hand: what is pushed while a partition is closed goes nowhere. */
class Hand implements Reader {
  readonly calls: string[] = []
  readonly sinks = new Map<number, ReadSink>()
  open(partition: number, offset: number, sink: ReadSink): void {
    this.calls.push(`open ${partition} at ${offset}`)
    this.sinks.set(partition, sink)
  }
  wake(): void {
    this.calls.push('wake')
  }
  close(partition: number): void {
    this.calls.push(`close ${partition}`)
    this.sinks.delete(partition)
  }
  async stop(): Promise<void> {
    this.calls.push('stop')
  }
  push(chunk: Chunk): void {
    this.sinks.get(chunk.partition)?.chunk(chunk)
  }
}

const opened = (bound: number, offset = 0) => {
  const hand = new Hand()
  const chunks: Chunk[] = []
  const faults: ReadFault[] = []
  const reader = boundedReader(hand, new Map([[0, bound]]))
  reader.open(0, offset, {
    wants: () => true,
    chunk: (one) => chunks.push(one),
    fault: (one) => faults.push(one),
  })
  return { hand, reader, chunks, faults }
}

describe('a reader that ends', () => {
  test('hands over what lies below the bound, contiguously up to it, and nothing beyond', () => {
    const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }), { maxLength: 10 })
    fc.assert(
      fc.property(sizes, fc.nat(40), (all, bound) => {
        const { hand, chunks } = opened(bound)
        let at = 0
        for (const batches of all) {
          const chunk = chunkOf(at, ...batches)
          // An empty fetch still passes an aborted batch.
          at = batches.length === 0 ? at + 1 : chunk.next
          hand.push({ ...chunk, next: at })
        }
        let next = 0
        for (const chunk of chunks) {
          expect(chunk.from).toBe(next)
          next = chunk.next
          for (const { baseOffset, lastOffset } of chunk.batches) {
            expect(baseOffset).toBeLessThan(bound)
            expect(lastOffset).toBeGreaterThanOrEqual(chunk.from)
          }
          expect(chunk.records).toBe(chunk.batches.reduce((sum, { records }) => sum + records, 0))
        }
        expect(next).toBe(Math.min(at, bound))
        if (bound > 0) expect(hand.calls.includes('close 0')).toBe(at >= bound)
      }),
    )
  })

  test('a batch across the bound stays, and `next` says where to stop', () => {
    const { hand, chunks } = opened(5)
    hand.push(chunkOf(0, 3, 4, 2))
    expect(chunks).toMatchObject([
      { from: 0, next: 5, records: 7, batches: [{ baseOffset: 0 }, { baseOffset: 3 }] },
    ])
    hand.push(chunkOf(9, 1))
    expect(chunks).toHaveLength(1)
  })

  test('a partition that stands at its bound is never opened', () => {
    expect(opened(5, 5).hand.calls).toEqual([])
    expect(opened(5, 6).hand.calls).toEqual([])
    expect(opened(5, 4).hand.calls).toEqual(['open 0 at 4'])
  })

  test('a partition without a bound is read on; all else is handed through', async () => {
    const { hand, reader, faults } = opened(5)
    const far: Chunk[] = []
    reader.open(1, 7, { wants: () => false, chunk: (one) => far.push(one), fault: () => undefined })
    const whole = { ...chunkOf(1_000_000, 2), partition: 1 }
    hand.push(whole)
    expect(far).toEqual([whole])
    expect(hand.sinks.get(1)?.wants()).toBe(false)
    hand.sinks.get(0)?.fault({ fault: 'position-gap', detail: 'x' })
    expect(faults).toEqual([{ fault: 'position-gap', detail: 'x' }])
    reader.wake()
    reader.close(1)
    await reader.stop()
    expect(hand.calls).toEqual(['open 0 at 0', 'open 1 at 7', 'wake', 'close 1', 'stop'])
  })
})

/** Committed batches and traced records, as plain as a test needs them. */
import type { BatchCommitted } from '../../cluster/events.ts'
import type { TracedRecord } from '../../cluster/trace.ts'

export const TRACE_ID = 'ab'.repeat(16)
export const PARENT = `00-${TRACE_ID}-${'12'.repeat(8)}-01`
export const OWN = `00-${TRACE_ID}-${'cd'.repeat(8)}-01`

/** Partition 1 of slot 1. It was taken 100 ms before it was committed, and spent 10 ms in each step but 50 ms in its thread. */
export const batch = (more: Partial<BatchCommitted> = {}): BatchCommitted => {
  const committed = more.committed ?? performance.now()
  return {
    ...{ slot: 1, partition: 1, from: 0, next: 10, records: 10, run: 'first', done: 10 },
    ...{ codes: [], attempts: [], traced: [], untraced: 0, windows: 0 },
    ...{ taken: committed - 100, handed: committed - 90, finished: committed - 20, runMs: 50 },
    ...{ commitBegun: committed - 10, committed },
    ...more,
  }
}

export const traced = (
  offset: number,
  outcome: TracedRecord['outcome'] = 'done',
  code?: string,
): TracedRecord => ({
  ...{ offset, parent: PARENT, own: OWN, from: 1, to: 2, outcome },
  ...(code !== undefined && { code }),
})

/**
 * What a read_committed reader sees of one fetched run of record batches, decided on batch headers alone (61 bytes a batch).
 * The algorithm is Kafka's own: aborted transactions become active at their first offset and end at their abort marker,
 * so a run that begins inside several overlapping aborted transactions leaks nothing.
 */
import { readControlType, readHeader } from './codec/header.ts'
import type { BatchSlice } from './ports.ts'
import type { AbortedTransaction } from './requests/fetch.ts'

export interface Visible {
  readonly batches: readonly BatchSlice[]
  /** Records in `batches`, those before `from` included. */
  readonly records: number
  /** Offset after the last whole batch, visible or not; `from` where there was none. */
  readonly next: number
  /** -1 where there was no whole batch. */
  readonly leaderEpoch: number
}

/**
 * @param from offset that was asked for; batches that end before it are skipped
 * @param aborted as the broker lists them for this run
 */
export const visibleBatches = (
  bytes: Buffer,
  from: number,
  aborted: readonly AbortedTransaction[],
): Visible => {
  const upcoming = [...aborted].sort((a, b) => b.firstOffset - a.firstOffset)
  const active = new Set<number>()
  const batches: BatchSlice[] = []
  let records = 0
  let next = from
  let leaderEpoch = -1
  for (let header = readHeader(bytes, 0); header !== undefined; header = readHeader(bytes, header.end)) {
    for (
      let first = upcoming.at(-1);
      first !== undefined && first.firstOffset <= header.lastOffset;
      first = upcoming.at(-1)
    ) {
      active.add(first.producerId)
      upcoming.pop()
    }
    next = Math.max(next, header.lastOffset + 1)
    leaderEpoch = header.leaderEpoch
    if (header.control) {
      if (readControlType(bytes, header) === 'abort') active.delete(header.producerId)
      continue
    }
    const isAborted = header.transactional && active.has(header.producerId)
    if (isAborted || header.lastOffset < from) continue
    const { start, end, baseOffset, lastOffset, count, maxTimestamp } = header
    batches.push({ start, end, baseOffset, lastOffset, records: count, maxTimestamp })
    records += count
  }
  return { batches, records, next, leaderEpoch }
}

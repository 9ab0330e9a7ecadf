/** What a shard says of itself once a second. Pure. */
import type { SlotMeasures } from '../cluster/measures.ts'
import type { SlotReport, SlotState } from '../cluster/protocol/plan.ts'
import type { Counters, Position } from '../cluster/protocol/state.ts'
import type { Batches } from './batches.ts'
import type { LedgerState } from './ledger.ts'

export interface Reported {
  readonly slot: number
  readonly epoch: number
  readonly state: SlotState
  readonly reason: string
  readonly rates: { readonly recordsPerSecond: number; readonly cpuMsPerSecond: number }
  readonly positions: ReadonlyMap<number, Position>
  /** Last stable offset of each partition, as far as it is known. */
  readonly ends: ReadonlyMap<number, number>
  /** Partitions that are not read, by order. */
  readonly unread: ReadonlySet<number>
  /** Epoch ms of the last commit; 0 before the first. */
  readonly committedAt: number
  /** Insights by count; absent where there are none yet. */
  readonly batches?: Pick<Batches, 'records' | 'flushed'> | undefined
}

const PAUSED = 'paused by order'

const isPaused = ({ state, positions, unread }: Reported): boolean =>
  state === 'running' &&
  positions.size > 0 &&
  [...positions.keys()].every((partition) => unread.has(partition))

/** An end that is unknown, or behind the position, is no lag. */
export const lagOf = (partition: number, next: number, ends: ReadonlyMap<number, number>): number =>
  Math.max(0, (ends.get(partition) ?? next) - next)

export const slotReport = (reported: Reported): SlotReport => {
  const { slot, epoch, state, rates, positions, ends, unread, committedAt, batches } = reported
  const sum = (pick: (counters: Counters) => number) =>
    [...positions.values()].reduce((total, { counters }) => total + pick(counters), 0)
  return {
    slot,
    state,
    reason: reported.reason || (isPaused(reported) ? PAUSED : ''),
    epoch,
    partitions: [...positions].map(([partition, { next }]) => ({
      partition,
      next,
      lag: lagOf(partition, next, ends),
      ...(unread.has(partition) && { paused: true }),
    })),
    ...(committedAt > 0 && { committedAt }),
    ...rates,
    ...(batches && { waiting: batches.records }),
    ...(batches?.flushed !== undefined && { flushed: batches.flushed }),
    counters: {
      done: sum((counters) => counters.done),
      dead: sum((counters) => counters.dead),
      dropped: sum((counters) => counters.dropped),
      late: sum((counters) => counters.late),
      parked: sum((counters) => counters.parked),
    },
  }
}

interface Measured extends Omit<SlotMeasures, 'partitions'> {
  readonly positions: ReadonlyMap<number, Position>
  readonly ends: ReadonlyMap<number, number>
  /** Epoch ms of the newest committed record of each partition. */
  readonly newest: ReadonlyMap<number, number>
  /** Epoch ms. */
  readonly now: number
}

export const slotMeasures = (measured: Measured): SlotMeasures => {
  const { slot, state, halt, mailbox, paused, positions, ends, newest, now } = measured
  const partitions = [...positions].map(([partition, { next, counters }]) => {
    const lag = lagOf(partition, next, ends)
    const stamp = newest.get(partition)
    const behindMs = lag === 0 || stamp === undefined || stamp < 0 ? 0 : Math.max(0, now - stamp)
    return { partition, next, lag, behindMs, counters }
  })
  return { slot, state, halt, mailbox, paused, partitions }
}

const IDLE_MS = 60_000

export interface Quiet {
  readonly state: LedgerState
  /** Last stable offset of each partition, as far as it is known. */
  readonly ends: ReadonlyMap<number, number>
  /** Epoch ms of the last commit or claim. */
  readonly quietSince: number
}

/**
 * Up to when readers of views may close windows. A slot that has read everything for a while holds no window of the others
 * open. Only views look at it: a record that comes late after all is counted, and what was published is published again.
 * @param now epoch ms
 */
export const viewWatermark = ({ state, ends, quietSince }: Quiet, now: number): number => {
  const quietUntil = now - IDLE_MS
  const lags = [...state.positions].some(([partition, { next }]) => (ends.get(partition) ?? next) > next)
  return lags || quietSince > quietUntil ? state.watermark : Math.max(state.watermark, quietUntil)
}

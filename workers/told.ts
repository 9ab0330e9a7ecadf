/** What is told of a committed transaction, as events. */
import type { BatchCommitted, EventBus, Events } from '../cluster/events.ts'
import type { Commit } from './commits.ts'
import type { TaskResult } from './task.ts'

/** @param now performance.now() */
const committedEvent = (
  slot: number,
  { entries, content, started }: Commit,
  now: number,
  concurrentRetries: number,
): Events['committed'] => {
  const sum = (pick: (result: TaskResult) => number) =>
    entries.reduce((total, { result }) => total + (result === undefined ? 0 : pick(result)), 0)
  const counts = {
    done: sum(({ done }) => done),
    dead: sum(({ dead }) => dead),
    dropped: sum(({ dropped }) => dropped),
    late: sum(({ late }) => late),
    parked: sum(({ parks }) => parks.length),
  }
  const records = counts.done + counts.dead + counts.dropped
  const bytes = content.parts.reduce((total, part) => total + part.bytes.length, 0)
  return { slot, records, ...counts, bytes, ms: now - started, concurrentRetries }
}

/** One a batch, with when it passed each step. @param now performance.now() */
const batchEvents = (
  slot: number,
  { entries, started, advance }: Commit,
  now: number,
): readonly BatchCommitted[] =>
  entries.flatMap((entry) => {
    const { chunk, result, settled, times } = entry
    if (result === undefined) return []
    const { partition, from, next, records } = chunk
    const { done, codes, runMs, traced, untraced } = result
    const attempts = [...(settled?.values() ?? [])].map((one) => one.attempts)
    const run = settled === undefined ? 'first' : 'later'
    return [
      {
        ...{ slot, partition, from, next, records, run, done, codes, attempts, runMs, traced, untraced },
        ...times,
        commitBegun: started,
        committed: now,
        windows: advance.changed.length,
      },
    ]
  })

export interface CommittedNow {
  readonly slot: number
  readonly commit: Commit
  /** performance.now() */
  readonly now: number
  readonly concurrentRetries: number
}

/** @returns records that have a fate by it */
export const tellCommitted = (
  events: EventBus,
  { slot, commit, now, concurrentRetries }: CommittedNow,
): number => {
  const committed = committedEvent(slot, commit, now, concurrentRetries)
  events.emit('committed', committed)
  for (const batch of batchEvents(slot, commit, now)) events.emit('batchCommitted', batch)
  for (const { records, messages } of commit.advance.published)
    events.emit('insights', { slot, records, messages })
  return committed.records
}

/** Epoch ms of the newest input record of each partition. */
export const newestOf = ({ entries }: Commit): readonly (readonly [partition: number, newest: number])[] =>
  entries.flatMap(({ chunk, returned }) => {
    const newest = chunk.batches.at(-1)?.maxTimestamp
    return newest === undefined || returned !== undefined ? [] : [[chunk.partition, newest]]
  })

/** One entry of a shard through the pool, under what is committed at that moment. */
import { type Runner, runChunk } from './bisect.ts'
import type { LedgerState } from './ledger.ts'
import type { Entry } from './mailbox.ts'
import type { SlotContext } from './slot.ts'
import type { TaskResult } from './task.ts'

export interface RunParts {
  readonly context: SlotContext
  readonly pool: Runner
  /** Committed. */
  readonly state: () => LedgerState
  /** Of results of retries: they take turns of their own. */
  readonly owner: number
}

/** @throws where the pipeline cannot run at all */
export const runEntry = (entry: Entry, { context, pool, state, owner }: RunParts): Promise<TaskResult> => {
  const { names, events, traces, slot } = context
  const { chunk, overrides, settled } = entry
  entry.times.handed = performance.now()
  return runChunk(pool, {
    slot,
    topic: names.input,
    chunk,
    overrides,
    watermark: () => state().watermark,
    outputMapping: state().meta?.outputMapping === 'key' ? 'key' : 'same',
    died: (from, to, cause) =>
      events.emit('threadDied', { slot, partition: chunk.partition, from, to, cause }),
    traces: () => traces?.offer(performance.now()) ?? 0,
    ...(settled && { settled, owner }),
  })
}

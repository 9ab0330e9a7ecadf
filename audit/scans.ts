/** Reads every record of an audit once: the input marks what is data, outputs, dead letters and drops note fates. */
import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import { scan } from '../cluster/kafka/scan.ts'
import { type Job, type ScanTally, type VisitContext, Visits } from './visits.ts'

export interface ScanContext extends VisitContext {
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((done: number, total: number) => void) | undefined
}

/** Partitions read at once: one is on its way while another is counted. */
const AT_ONCE = 4

export const scanFates = async (context: ScanContext): Promise<ScanTally> => {
  const visits = new Visits(context)
  const jobs = visits.jobs().filter(({ from, to }) => to > from)
  const total = jobs.reduce((sum, { from, to }) => sum + to - from, 0)
  const queue = jobs.values()
  let done = 0
  const work = async () => {
    for (const job of queue) {
      await run(job, context.signal, (reached) => context.progress?.(done + reached - job.from, total))
      done += job.to - job.from
      context.progress?.(done, total)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return visits.tally
}

const TELL_EVERY = 10_000

const run = async (job: Job, signal: AbortSignal | undefined, reached: (offset: number) => void) => {
  if (signal?.aborted) return
  const { topology, topic, partition, from, to, visit, unreadable } = job
  let left = TELL_EVERY
  const counted = (record: RecordCursor) => {
    visit(record)
    if (--left > 0) return
    left = TELL_EVERY
    reached(record.offset)
  }
  await scan(topology, { topic, partition, from, to }, counted, {
    ...(signal && { signal }),
    ...(unreadable && { unreadable }),
  })
}

/**
 * Runs one chunk in the pool; where its thread dies, runs the halves, until the guilty record is alone: that one is
 * retried later with the cause as its code, its neighbours keep their results.
 */
import { MillraceError } from '../cluster/errors.ts'
import type { Chunk } from '../cluster/kafka/ports.ts'
import type { Pool } from './pool.ts'
import { isNotRun, type Overrides, type Task, type TaskResult } from './task.ts'

/** All that a shard asks of the pool. */
export type Runner = Pick<Pool, 'run'>

export interface Run {
  readonly slot: number
  readonly topic: string
  readonly chunk: Chunk
  readonly overrides: Overrides
  readonly watermark: () => number
  readonly outputMapping: Task['outputMapping']
  readonly died: (from: number, to: number, cause: string) => void
  readonly settled?: Task['settled']
  /** Whose turn it takes in the pool; absent: the slot's. */
  readonly owner?: number
}

interface Range {
  readonly from: number
  readonly to: number
  readonly overrides: Overrides
  /** Threads that have died of this range. */
  readonly deaths: number
}

/** A record that was alone from the start runs twice: the first death may have been its thread's own. */
const DEATHS_OF_THE_GUILTY = 2

export const runChunk = (pool: Runner, run: Run): Promise<TaskResult> => {
  const { batches, from, next } = run.chunk
  const [first] = batches
  const last = batches.at(-1)
  if (first === undefined || last === undefined) throw new Error('a chunk without batches needs no thread')
  return runRange(pool, run, {
    from: Math.max(from, first.baseOffset),
    to: Math.min(next, last.lastOffset + 1),
    overrides: run.overrides,
    deaths: 0,
  })
}

const runRange = async (pool: Runner, run: Run, range: Range): Promise<TaskResult> => {
  const { from, to, overrides } = range
  const outcome = await pool.run(run.owner ?? run.slot, () => taskOf(run, from, to, overrides))
  if (outcome.ok) return outcome.result
  const { cause } = outcome
  if ('detail' in outcome) throw new MillraceError('pipeline-load', outcome.detail)
  if (isNotRun(outcome)) throw new Error(`offsets ${from} to ${to - 1} were not run: ${cause}`)
  run.died(from, to, cause)
  const deaths = range.deaths + 1
  if (to - from > 1) {
    const middle = from + Math.floor((to - from) / 2)
    return joined(
      await runRange(pool, run, { ...range, to: middle, deaths }),
      await runRange(pool, run, { ...range, from: middle, deaths }),
    )
  }
  if (deaths < DEATHS_OF_THE_GUILTY) return runRange(pool, run, { ...range, deaths })
  if (overrides.faulty.has(from))
    throw new Error(`a thread dies at offset ${from} without running it: ${cause}`)
  const faulty = new Map([...overrides.faulty, [from, `thread-${cause}`] as const])
  return runRange(pool, run, { ...range, overrides: { ...overrides, faulty }, deaths })
}

/** Copies the batches that overlap the range: the thread will own them. */
const taskOf = (run: Run, from: number, to: number, overrides: Overrides): Task => {
  const inside = run.chunk.batches.filter((batch) => batch.lastOffset >= from && batch.baseOffset < to)
  const bytes = new Uint8Array(inside.reduce((sum, batch) => sum + batch.end - batch.start, 0))
  let at = 0
  for (const batch of inside) {
    bytes.set(run.chunk.bytes.subarray(batch.start, batch.end), at)
    at += batch.end - batch.start
  }
  return {
    bytes: bytes.buffer,
    topic: run.topic,
    partition: run.chunk.partition,
    from,
    to,
    now: Date.now(),
    watermark: run.watermark(),
    outputMapping: run.outputMapping,
    overrides,
    ...(run.settled && { settled: run.settled }),
  }
}

const joined = (a: TaskResult, b: TaskResult): TaskResult => ({
  outputs: [...a.outputs, ...b.outputs],
  letters: [...a.letters, ...b.letters],
  drops: [...a.drops, ...b.drops],
  parks: [...a.parks, ...b.parks],
  ...((a.rows ?? b.rows) && { rows: [...(a.rows ?? []), ...(b.rows ?? [])] }),
  folded: {
    windows: [...a.folded.windows, ...b.folded.windows],
    latest: Math.max(a.folded.latest, b.folded.latest),
  },
  rows: [...a.rows, ...b.rows],
  done: a.done + b.done,
  dead: a.dead + b.dead,
  dropped: a.dropped + b.dropped,
  late: a.late + b.late,
  cpuMs: a.cpuMs + b.cpuMs,
  runMs: a.runMs + b.runMs,
})

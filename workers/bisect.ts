/**
 * Runs one chunk in the pool; where its thread dies, runs what was before and behind the record it was busy with, and that
 * record alone; halves where the thread had come to none. A record that is alone when its thread dies is the guilty one:
 * it is retried later with the cause as its code, its neighbours keep their results.
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
  /** Records of a task that may have spans of their own, asked when it begins. */
  readonly traces?: () => number
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
/** Threads that die of a record they were told not to run die of something else, which may pass: memory, a signal. */
const DEATHS_IN_VAIN = 10

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
  if (to - from > 1)
    return runParts(
      pool,
      run,
      { ...range, deaths },
      cutsOf(from, to, 'at' in outcome ? outcome.at : undefined),
    )
  const isSpared = overrides.faulty.has(from)
  if (deaths < (isSpared ? DEATHS_IN_VAIN : DEATHS_OF_THE_GUILTY))
    return runRange(pool, run, { ...range, deaths })
  if (isSpared) throw new Error(`threads die at offset ${from} without running it: ${cause}`)
  const faulty = new Map([...overrides.faulty, [from, `thread-${cause}`] as const])
  return runRange(pool, run, { ...range, overrides: { ...overrides, faulty }, deaths: 0 })
}

/** Where a range of two or more offsets is cut: around the suspect, and in the middle of what was before it; else in the middle. */
const cutsOf = (from: number, to: number, suspect: number | undefined): readonly number[] => {
  if (suspect === undefined || suspect < from || suspect >= to) return [from, middleOf(from, to), to]
  return [...new Set([from, middleOf(from, suspect), suspect, suspect + 1, to])]
}

const middleOf = (from: number, to: number): number => from + Math.floor((to - from) / 2)

const runParts = async (
  pool: Runner,
  run: Run,
  range: Range,
  [from, ...ends]: readonly number[],
): Promise<TaskResult> => {
  let whole: TaskResult | undefined
  let start = from ?? range.from
  for (const end of ends) {
    const part = await runRange(pool, run, { ...range, from: start, to: end })
    whole = whole === undefined ? part : joined(whole, part)
    start = end
  }
  if (whole === undefined) throw new Error(`nothing to run from ${range.from} to ${range.to}`)
  return whole
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
    traces: run.traces?.() ?? 0,
    ...(run.settled && { settled: run.settled }),
  }
}

const joined = (a: TaskResult, b: TaskResult): TaskResult => ({
  outputs: [...a.outputs, ...b.outputs],
  letters: [...a.letters, ...b.letters],
  drops: [...a.drops, ...b.drops],
  parks: [...a.parks, ...b.parks],
  folded: {
    windows: [...a.folded.windows, ...b.folded.windows],
    latest: Math.max(a.folded.latest, b.folded.latest),
  },
  rows: [...a.rows, ...b.rows],
  done: a.done + b.done,
  dead: a.dead + b.dead,
  dropped: a.dropped + b.dropped,
  late: a.late + b.late,
  codes: [...a.codes, ...b.codes],
  traced: [
    ...a.traced,
    ...b.traced.map((one) => ({ ...one, from: one.from + a.runMs, to: one.to + a.runMs })),
  ],
  untraced: a.untraced + b.untraced,
  cpuMs: a.cpuMs + b.cpuMs,
  runMs: a.runMs + b.runMs,
})

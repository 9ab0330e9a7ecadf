/**
 * Runs parked records once more, in a thread: each is a batch of one. What they come to is judged by their shard alone;
 * nothing is folded or encoded here, so that a run may be repeated at will.
 */
import { RecordCursor } from '../../cluster/kafka/codec/decode.ts'
import { readHeader } from '../../cluster/kafka/codec/header.ts'
import type { Prepared, Result } from '../../pipelines/api/execute.ts'
import { RecordInput } from '../record-input.ts'
import type { ThreadSetup } from '../task.ts'

export interface ParkedRun {
  readonly partition: number
  /** Number of this run; 2 is the first from the queue. */
  readonly attempt: number
}

export interface ParkedTask {
  /** Batches of one, in the order of `runs`. Transferred. */
  readonly bytes: ArrayBuffer
  readonly topic: string
  readonly runs: readonly ParkedRun[]
  /** Epoch ms. */
  readonly now: number
}

export type ParkedOutcome =
  | { readonly outcome: 'done'; readonly json: string }
  | { readonly outcome: 'drop'; readonly code: string }
  | { readonly outcome: 'dead' | 'retry'; readonly code: string; readonly message: string }

const SIGNAL_SHARE = 0.9

export const runParkedRecords = async (
  setup: Pick<ThreadSetup, 'concurrency' | 'taskTimeout' | 'maxDecompressedBytes'>,
  prepared: Prepared,
  task: ParkedTask,
): Promise<readonly ParkedOutcome[]> => {
  const inputs = inputsOf(setup, task)
  const outcomes = new Array<ParkedOutcome>(inputs.length)
  let next = 0
  const lane = async () => {
    for (let at = next++; at < inputs.length; at = next++) {
      const input = inputs[at]
      if (input !== undefined) outcomes[at] = outcomeOf(await run(prepared, input))
    }
  }
  await Promise.all(Array.from({ length: Math.min(setup.concurrency, inputs.length) }, lane))
  return outcomes
}

const inputsOf = (
  { taskTimeout, maxDecompressedBytes }: Pick<ThreadSetup, 'taskTimeout' | 'maxDecompressedBytes'>,
  { bytes, topic, runs, now }: ParkedTask,
): readonly RecordInput[] => {
  const buffer = Buffer.from(bytes)
  const cursor = new RecordCursor()
  let signal: AbortSignal | undefined
  const timeUp = () => {
    signal ??= AbortSignal.timeout(taskTimeout * SIGNAL_SHARE)
    return signal
  }
  let at = 0
  return runs.map(({ partition, attempt }) => {
    const header = readHeader(buffer, at)
    if (header === undefined) throw new Error('a parked record is missing in its task')
    at = header.end
    cursor.reset(buffer, header, maxDecompressedBytes)
    if (!cursor.next()) throw new Error('a parked record is empty')
    return new RecordInput(cursor, { topic, partition, now }, timeUp, attempt)
  })
}

const run = (prepared: Prepared, input: RecordInput): Result | Promise<Result> =>
  prepared.run(input.valueStart < 0 ? null : input.bytes, input.valueStart, input.valueEnd, input)

/** The value itself stays in the thread: its JSON says the same. */
const outcomeOf = (result: Result): ParkedOutcome =>
  result.outcome === 'done' ? { outcome: 'done', json: result.json } : result

/** Entry of a pool thread: loads the pipeline once, then runs tasks. Telemetry is never started here; durations go back with the result. */
import { flushCompileCache } from 'node:module'
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina'
import { messageOf } from '../cluster/errors.ts'
import { free } from '../cluster/kafka/free.ts'
import { type Prepared, prepare } from '../pipelines/api/execute.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { injected } from './retries/inject.ts'
import { type ParkedOutcome, type ParkedTask, runParkedRecords } from './retries/run-parked.ts'
import { TaskRun } from './run-task.ts'
import type { Broken, Handed, TaskResult, ThreadSetup } from './task.ts'

const setup = workerData as ThreadSetup
const load = async (): Promise<Prepared> => {
  const { pipeline } = await loadPipeline(setup.pipeline)
  const { maxRecordBytes } = setup
  return prepare(injected(pipeline, setup.inject), setup.options, { maxRecordBytes })
}
/** Told with each task: a thread that died of it would only be replaced, again and again. */
const prepared: Prepared | Broken = await load().catch((error) => ({ broken: messageOf(error) }))
// A thread mostly ends by force: then Node would not write what it compiled.
flushCompileCache()

export const runTask = async ({ task, begun, busyWith }: Handed): Promise<TaskResult | Broken> => {
  Atomics.store(begun, 0, process.hrtime.bigint())
  if ('broken' in prepared) return prepared
  const result = await new TaskRun(setup, prepared, task, busyWith).run()
  free(new Uint8Array(task.bytes))
  return transferred(result)
}

export const runParked = async ({
  task,
  begun,
}: Handed<ParkedTask>): Promise<readonly ParkedOutcome[] | Broken> => {
  Atomics.store(begun, 0, process.hrtime.bigint())
  if ('broken' in prepared) return prepared
  return runParkedRecords(setup, prepared, task)
}

/** The produced batches change hands instead of being copied. */
const transferred = (result: TaskResult): TaskResult => {
  const buffers = [...result.outputs, ...result.letters].map((produced) => produced.bytes.buffer)
  for (const { record } of result.parks) buffers.push(record.buffer)
  const movable = {
    get [transferableSymbol]() {
      return buffers
    },
    get [valueSymbol]() {
      return result
    },
  }
  return move(movable as unknown as ArrayBuffer) as unknown as TaskResult
}

/** Entry of a pool thread: loads the pipeline once, then runs tasks. Telemetry is never started here; durations go back with the result. */
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina'
import { free } from '../cluster/kafka/free.ts'
import { prepare } from '../pipelines/api/execute.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { TaskRun } from './run-task.ts'
import type { Handed, TaskResult, ThreadSetup } from './task.ts'

const setup = workerData as ThreadSetup
const { pipeline } = await loadPipeline(setup.pipeline)
const prepared = await prepare(pipeline, setup.options, { maxRecordBytes: setup.maxRecordBytes })

export const runTask = async ({ task, begun }: Handed): Promise<TaskResult> => {
  Atomics.store(begun, 0, process.hrtime.bigint())
  const result = await new TaskRun(setup, prepared, task).run()
  free(new Uint8Array(task.bytes))
  return transferred(result)
}

/** The produced batches change hands instead of being copied. */
const transferred = (result: TaskResult): TaskResult => {
  const buffers = [...result.outputs, ...result.letters].map((produced) => produced.bytes.buffer)
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

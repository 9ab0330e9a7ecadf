/** Pools of real threads on the fixtures. */
import { runChunk } from '../../../workers/bisect.ts'
import { Pool, type PoolOptions } from '../../../workers/pool.ts'
import { NO_OVERRIDES, type TaskResult } from '../../../workers/task.ts'
import { chunk } from './batches.ts'
import { setup, taskOf } from './task-world.ts'

export const poolOf = (
  fixture: string,
  { threads = 1, heapMb = 128, taskTimeout = 20_000 }: Partial<PoolOptions> = {},
) =>
  new Pool(
    {
      ...setup,
      name: fixture,
      pipeline: new URL(`../fixtures/${fixture}.ts`, import.meta.url).href,
      taskTimeout,
    },
    { threads, heapMb, taskTimeout },
  )

export interface Death {
  readonly range: string
  readonly cause: string
}

/** Runs the values as one chunk of offsets 0, 1, ... */
export const runValues = async (
  pool: Pool,
  values: readonly unknown[],
  slot = 0,
): Promise<{ readonly result: TaskResult; readonly deaths: readonly Death[] }> => {
  const deaths: Death[] = []
  const result = await runChunk(pool, {
    slot,
    topic: 'in',
    chunk: chunk(2, 0, ...values),
    overrides: NO_OVERRIDES,
    watermark: () => 0,
    outputMapping: 'same',
    died: (from, to, cause) => deaths.push({ range: `${from}-${to}`, cause }),
  })
  return { result, deaths }
}

/** One task of one record. */
export const taskOfOne = (value: unknown) => taskOf([chunk(2, 0, value).bytes])

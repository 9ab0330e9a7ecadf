/** Task results and names, as plain as a test needs them. */
import { encodeBatch } from '../../../cluster/kafka/codec/records.ts'
import { HEADER } from '../../../cluster/protocol/headers.ts'
import { namesOf } from '../../../cluster/protocol/names.ts'
import type { WindowPart } from '../../../pipelines/api/folder.ts'
import type { Produced, TaskResult } from '../../../workers/task.ts'

export const names = namesOf('p', { input: 'in', output: 'out', deadLetters: 'dlq' })

export const result = (more: Partial<TaskResult> = {}): TaskResult => ({
  outputs: [],
  letters: [],
  drops: [],
  parks: [],
  folded: { windows: [], latest: -1 },
  rows: [],
  done: 0,
  dead: 0,
  dropped: 0,
  late: 0,
  codes: [],
  traced: [],
  untraced: 0,
  cpuMs: 1,
  runMs: 1,
  ...more,
})

export const folded = (latest: number, ...windows: readonly WindowPart[]): TaskResult =>
  result({ done: windows.length, folded: { windows, latest } })

/** A produced batch with an origin header per record. */
export const produced = (partition: number, ...offsets: readonly number[]): Produced => {
  const batch = encodeBatch(
    offsets.map((offset) => ({
      timestamp: 0,
      key: null,
      value: `of ${offset}`,
      headers: [[HEADER.origin, `in/${partition}/${offset}`]] as const,
    })),
  )
  if (batch === undefined) throw new Error('a batch needs an offset')
  return { partition, bytes: batch.bytes, records: batch.count }
}

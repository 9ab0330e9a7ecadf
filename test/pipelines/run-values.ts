/** Runs a pipeline on values as the threads would. Texts and bytes are taken as they are, other values as their JSON. */
import type { AnyPipeline, Input, JsonObject } from '../../pipelines/api/define.ts'
import { type Prepared, prepare, type Result } from '../../pipelines/api/execute.ts'

export const NOW = Date.UTC(2023, 8, 12, 0, 46, 40)

export const inputAt = (now = NOW, more: Partial<Input> = {}): Input => ({
  key: null,
  headers: [],
  timestamp: now,
  origin: { topic: 'in', partition: 0, offset: 0 },
  now,
  attempt: 1,
  signal: new AbortController().signal,
  ...more,
})

const bytesOf = (value: unknown): Buffer | null => {
  if (value === null || Buffer.isBuffer(value)) return value
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

/** With foreign bytes around: a value is a slice of its batch. */
export const runOne = (prepared: Prepared, value: unknown, input = inputAt()): Result | Promise<Result> => {
  const bytes = bytesOf(value)
  if (bytes === null) return prepared.run(null, 0, 0, input)
  const around = Buffer.concat([Buffer.from('"é'), bytes, Buffer.from('}"')])
  return prepared.run(around, 3, 3 + bytes.length, input)
}

export const runner = async (pipeline: AnyPipeline, options: JsonObject = {}) => {
  const prepared = await prepare(pipeline, options)
  return async (value: unknown, input = inputAt()): Promise<Result> => runOne(prepared, value, input)
}

/** The value of a done record, as read back from what would be written. */
export const writtenBy = (result: Result): JsonObject => {
  if (result.outcome !== 'done') throw new Error(`expected done, got ${JSON.stringify(result)}`)
  return JSON.parse(result.json)
}

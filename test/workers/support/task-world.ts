/** Runs one task in process on a pipeline whose records say what becomes of them. */
import { setImmediate } from 'node:timers/promises'
import { Type } from 'typebox'
import { HEADER, parseOrigin } from '../../../cluster/protocol/headers.ts'
import { total, tumbling } from '../../../pipelines/api/aggregates.ts'
import { definePipeline, type JsonObject } from '../../../pipelines/api/define.ts'
import { prepare } from '../../../pipelines/api/execute.ts'
import { dead, drop, retry, type Verdict } from '../../../pipelines/api/outcome.ts'
import { TaskRun } from '../../../workers/run-task.ts'
import { NO_OVERRIDES, type Task, type TaskResult, type ThreadSetup } from '../../../workers/task.ts'
import { decoded, headerOf, NOW } from './batches.ts'

/** Asynchronous steps under way, and the most there were. */
export const underWay = { now: 0, most: 0 }

const verdictOf = (value: JsonObject): JsonObject | Verdict => {
  if (value.do === 'drop') return drop('unwanted')
  if (value.do === 'dead') return dead('refused', 'by rule')
  if (value.do === 'retry') return retry('lookup-down', 'try later')
  if (value.do === 'throw') throw new RangeError('no')
  return value
}
const later = async (value: JsonObject): Promise<JsonObject | Verdict> => {
  underWay.now++
  underWay.most = Math.max(underWay.most, underWay.now)
  for (let turn = 0; turn < Number(value.turns ?? 0); turn++) await setImmediate()
  underWay.now--
  return verdictOf(value)
}
/** A promise of no known make, and what follows from it too. */
const thenable = (value: unknown): object => {
  const then = (go: (value: unknown) => unknown) => thenable(go(value))
  return Object.assign(Object.create(null), { then })
}

export const pipeline = definePipeline({
  name: 'p',
  topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
  schema: Type.Object({
    do: Type.Optional(Type.String()),
    async: Type.Optional(Type.Boolean()),
    foreign: Type.Optional(Type.Boolean()),
    turns: Type.Optional(Type.Number()),
    at: Type.Optional(Type.Number()),
    pad: Type.Optional(Type.Number()),
  }),
  process: (value) => {
    if (value.foreign) return thenable({ ...value }) as Promise<JsonObject>
    if (value.async) return later(value)
    return value.pad === undefined ? verdictOf(value) : { ...value, padding: 'é'.repeat(value.pad) }
  },
  eventTime: (value) => Number(value.at ?? 0),
  aggregates: { all: total.count(), short: tumbling(10, 20).count() },
})
export const prepared = await prepare(pipeline)

export const MAX_BATCH = 20_000
const destination = (topic: string) => ({
  topic,
  partitions: 4,
  maxBatchBytes: MAX_BATCH,
  maxAhead: 3_600_000,
  logAppendTime: false,
})
export const setup: ThreadSetup = {
  pipeline: '',
  name: 'p',
  options: {},
  output: destination('out'),
  letters: destination('dlq'),
  maxRecordBytes: 1e6,
  maxDecompressedBytes: 1e6,
  concurrency: 3,
  taskTimeout: 30_000,
  retries: { attempts: 4, delay: 1000, jitter: 0 },
  maxParkedBytes: 10_000,
}

export const taskOf = (batches: readonly Buffer[], more: Partial<Task> = {}): Task => ({
  bytes: new Uint8Array(Buffer.concat(batches)).buffer,
  topic: 'in',
  partition: 2,
  from: 0,
  to: Number.MAX_SAFE_INTEGER,
  now: NOW,
  watermark: 0,
  outputMapping: 'same',
  overrides: NO_OVERRIDES,
  traces: 0,
  ...more,
})

export const runTask = (
  batches: readonly Buffer[],
  more: Partial<Task> = {},
  thread: Partial<ThreadSetup> = {},
) => new TaskRun({ ...setup, ...thread }, prepared, taskOf(batches, more)).run()

export interface Fate {
  readonly offset: number
  readonly fate: string
}

/** In the order in which each topic got them, then by offset. */
export const fatesOf = ({ outputs, letters, drops, parks }: TaskResult): Fate[] => {
  const originOf = (record: Parameters<typeof headerOf>[0]) =>
    parseOrigin(headerOf(record, HEADER.origin) ?? '')?.offset ?? Number.NaN
  const out = decoded(outputs).map((record) => ({ offset: originOf(record), fate: 'output' }))
  const dlq = decoded(letters).map((record) => ({
    offset: originOf(record),
    fate: headerOf(record, HEADER.errorCode) ?? '',
  }))
  const dropped = drops.flatMap(({ from, to, code }) =>
    Array.from({ length: to - from + 1 }, (_, i) => ({ offset: from + i, fate: `drop ${code}` })),
  )
  const parked = parks.map(({ offset, code }) => ({ offset, fate: `parked ${code}` }))
  for (const list of [out, dlq, dropped, parked])
    if (list.some(({ offset }, i) => offset <= (list[i - 1]?.offset ?? -1))) throw new Error('out of order')
  return [...out, ...dlq, ...dropped, ...parked].sort((a, b) => a.offset - b.offset)
}

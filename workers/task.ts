/** What crosses to a pool thread and back. Buffers are transferred; everything else is small. */
import type { DropRange } from '../cluster/protocol/drops.ts'
import type { Row } from '../pipelines/api/batches.ts'
import type { Folded } from '../pipelines/api/folder.ts'

/** Where a pipeline's records go, and what the broker accepts there. */
export interface Destination {
  readonly topic: string
  readonly partitions: number
  /** max.message.bytes. */
  readonly maxBatchBytes: number
  /** ms that a timestamp may lie ahead of the broker's clock (message.timestamp.after.max.ms). */
  readonly maxAhead: number
  /** The broker replaces timestamps by the time of writing: outputs then carry theirs in a header. */
  readonly logAppendTime: boolean
}

/** What the broker refused is run again with these: see P3.4 c. */
export interface Overrides {
  /** These offsets become dead letters with that code, whatever the pipeline says. */
  readonly dead: ReadonlyMap<number, string>
  /** Letters of these offsets carry a reference instead of the record. */
  readonly references: ReadonlySet<number>
  /** Most records of one produced batch. */
  readonly batchRecords: number
}
export const NO_OVERRIDES: Overrides = {
  dead: new Map(),
  references: new Set(),
  batchRecords: Number.POSITIVE_INFINITY,
}

export interface Task {
  /** Whole record batches, one behind the other. Transferred. */
  readonly bytes: ArrayBuffer
  readonly topic: string
  readonly partition: number
  /** Only records with from <= offset < to. */
  readonly from: number
  readonly to: number
  /** Epoch ms. */
  readonly now: number
  readonly watermark: number
  /** `same`: the input's partition number (modulo the output's partitions, where the input has grown); `key`: murmur2 of the key. */
  readonly outputMapping: 'same' | 'key'
  readonly overrides: Overrides
}

/** A task on its way to a thread, which notes when it begins: process.hrtime of the process both live in; 0 before. */
export interface Handed {
  readonly task: Task
  readonly begun: BigInt64Array
}

/** A produced batch, encoded and unstamped. */
export interface Produced {
  readonly partition: number
  readonly bytes: Uint8Array
  readonly records: number
}

export interface TaskResult {
  readonly outputs: readonly Produced[]
  readonly letters: readonly Produced[]
  readonly drops: readonly DropRange[]
  readonly folded: Folded
  /** One a done record, in their order, where the pipeline has insights by count; else empty. */
  readonly rows: readonly Row[]
  readonly done: number
  readonly dead: number
  readonly dropped: number
  /** Records that at least one aggregate left out. */
  readonly late: number
  /** Thread time, ms. */
  readonly cpuMs: number
  readonly runMs: number
}

/** Fixed for the life of a pool; travels as workerData. */
export interface ThreadSetup {
  /** URL of the pipeline's module. */
  readonly pipeline: string
  readonly name: string
  readonly options: Readonly<Record<string, unknown>>
  readonly output: Destination | undefined
  readonly letters: Destination
  readonly maxRecordBytes: number
  readonly maxDecompressedBytes: number
  readonly concurrency: number
  /** ms; `ctx.signal` aborts a little earlier. */
  readonly taskTimeout: number
}

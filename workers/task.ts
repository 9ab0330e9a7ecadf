/** What crosses to a pool thread and back. Buffers are transferred; everything else is small. */

import type { CodeCount } from '../cluster/events.ts'
import type { DropRange } from '../cluster/protocol/drops.ts'
import type { Failures } from '../cluster/settings/values.ts'
import type { TracedRecord } from '../cluster/trace.ts'
import type { Row } from '../pipelines/api/batches.ts'
import type { Folded } from '../pipelines/api/folder.ts'
import type { FreshPark } from './retries/park.ts'
import type { Policy } from './retries/policy.ts'
import type { Sampling } from './tracing.ts'

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
  /** A thread has died of these offsets, with that code: they are tried again later, alone. */
  readonly faulty: ReadonlyMap<number, string>
  /** Letters of these offsets carry a reference instead of the record. */
  readonly references: ReadonlySet<number>
  /** Most records of one produced batch. */
  readonly batchRecords: number
}
export const NO_OVERRIDES: Overrides = {
  dead: new Map(),
  faulty: new Map(),
  references: new Set(),
  batchRecords: Number.POSITIVE_INFINITY,
}

/** What a parked record came to: a result that was accepted. */
export type Settled = {
  readonly attempts: number
  /** `traceparent` of the run that settled it. */
  readonly trace?: string | undefined
} & (
  | { readonly outcome: 'done'; readonly json: string }
  | { readonly outcome: 'drop'; readonly code: string }
  | { readonly outcome: 'dead'; readonly code: string; readonly message: string }
)

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
  /** By offset: these records have run before, and this is what they came to. */
  readonly settled?: ReadonlyMap<number, Settled>
  /** Most records of this task that have spans of their own. */
  readonly traces: number
}

/** No record is to blame. */
export const NO_OFFSET = -1

/** A task on its way to a thread, which notes when it begins (process.hrtime of the process both live in; 0 before) and what it does. */
export interface Handed<T = Task> {
  readonly task: T
  readonly begun: BigInt64Array
  /** Offset the thread is busy with, or NO_OFFSET: who is to blame if it never comes back. */
  readonly busyWith: Float64Array
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
  /** Records that run again later. */
  readonly parks: readonly FreshPark[]
  readonly folded: Folded
  /** One a done record, in their order, where the pipeline has insights by count; else empty. */
  readonly rows: readonly Row[]
  readonly done: number
  readonly dead: number
  readonly dropped: number
  /** Records that at least one aggregate left out. */
  readonly late: number
  /** What did not succeed, by outcome and code. */
  readonly codes: readonly CodeCount[]
  readonly traced: readonly TracedRecord[]
  /** Sampled records that have no spans of their own. */
  readonly untraced: number
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
  readonly retries: Policy
  /** Most bytes of a parked record, and of a result on its way back; what is longer is not retried. */
  readonly maxParkedBytes: number
  /** Absent: no spans; contexts are handed on all the same. */
  readonly sampling?: Sampling | undefined
  /** Made-up failures; absent outside of demo and tests. */
  readonly inject?: Failures | undefined
}

/** What a thread answers with whose pipeline cannot be loaded or set up. */
export interface Broken {
  readonly broken: string
}

/** True where no record had a part in it: what was to run may run later. */
export const isNotRun = ({ cause }: { readonly cause: string }): boolean =>
  cause === 'closed' || cause === 'not-started' || cause === 'broken'

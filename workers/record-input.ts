/** What a pipeline is told of one record. A snapshot of positions: it stays right when the cursor has moved on. */

import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import { readHeaders } from '../cluster/kafka/codec/decode.ts'
import type { Input, RecordHeaders } from '../pipelines/api/define.ts'
import type { Task } from './task.ts'
import type { RecordTrace } from './tracing.ts'

export class RecordInput implements Input {
  readonly bytes: Buffer
  readonly offset: number
  readonly timestamp: number
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly headerCount: number
  readonly headersStart: number
  readonly headersEnd: number
  readonly attempt: number
  /** Set by whoever runs it. */
  trace: RecordTrace | undefined
  readonly #task: Pick<Task, 'topic' | 'partition' | 'now'>
  readonly #signal: () => AbortSignal

  constructor(
    cursor: RecordCursor,
    task: Pick<Task, 'topic' | 'partition' | 'now'>,
    signal: () => AbortSignal,
    attempt = 1,
  ) {
    this.attempt = attempt
    this.bytes = cursor.bytes
    this.offset = cursor.offset
    this.timestamp = cursor.timestamp
    this.keyStart = cursor.keyStart
    this.keyEnd = cursor.keyEnd
    this.valueStart = cursor.valueStart
    this.valueEnd = cursor.valueEnd
    this.headerCount = cursor.headerCount
    this.headersStart = cursor.headersStart
    this.headersEnd = cursor.headersEnd
    this.#task = task
    this.#signal = signal
  }

  get key(): Uint8Array | null {
    return this.keyStart < 0 ? null : this.bytes.subarray(this.keyStart, this.keyEnd)
  }
  /** Null is a tombstone. */
  get value(): Buffer | null {
    return this.valueStart < 0 ? null : this.bytes.subarray(this.valueStart, this.valueEnd)
  }
  get headers(): RecordHeaders {
    return readHeaders(this)
  }
  get origin(): Input['origin'] {
    return { topic: this.#task.topic, partition: this.#task.partition, offset: this.offset }
  }
  get now(): number {
    return this.#task.now
  }
  get signal(): AbortSignal {
    return this.#signal()
  }
}

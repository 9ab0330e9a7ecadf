/** A dead letter: the record's own key, value bytes and headers, and behind its origin why it failed. */
import { createHash } from 'node:crypto'
import { CodecError } from '../cluster/kafka/codec/error.ts'
import type { OriginBlock } from '../cluster/kafka/codec/header-block.ts'
import { HEADER } from '../cluster/protocol/headers.ts'
import type { Outbox } from './outbox.ts'
import type { RecordInput } from './record-input.ts'

export interface Failure {
  readonly code: string
  readonly message: string
  /** Runs in all; absent: 1. */
  readonly attempts?: number
  /** `traceparent` of what failed. */
  readonly trace?: string | undefined
}

export class LetterWriter {
  readonly #outbox: Outbox
  readonly #block: OriginBlock
  readonly #partition: number
  readonly #pipeline: string
  readonly #now: number
  readonly #failedAt: string

  /** @param now epoch ms */
  constructor(outbox: Outbox, block: OriginBlock, partition: number, pipeline: string, now: number) {
    this.#outbox = outbox
    this.#block = block
    this.#partition = partition
    this.#pipeline = pipeline
    this.#now = now
    this.#failedAt = new Date(now).toISOString()
  }

  /** Whole where it fits, else as a reference. */
  write(record: RecordInput, failure: Failure, asReference: boolean): void {
    const { bytes, keyStart, keyEnd, timestamp, value } = record
    if (!asReference) {
      this.#begin(record.offset, failure)
      this.#copyHeaders(record, failure)
      if (this.#add(bytes, keyStart, keyEnd, timestamp, value)) return
    }
    this.#begin(record.offset, failure)
    if (value !== null) this.#block.add(HEADER.valueSha256, createHash('sha256').update(value).digest('hex'))
    if (this.#add(bytes, keyStart, keyEnd, timestamp, null)) return
    if (!this.#add(bytes, -1, -1, timestamp, null)) throw this.#hopeless(record.offset)
  }

  /** For an offset whose batch cannot be read: nothing but its origin is known. */
  writeUnreadable(offset: number, failure: Failure): void {
    this.#begin(offset, failure)
    if (!this.#add(Buffer.alloc(0), -1, -1, this.#now, null)) throw this.#hopeless(offset)
  }

  #hopeless(offset: number): Error {
    return new Error(`the dead-letter topic takes not even a reference to offset ${offset}`)
  }

  #begin(offset: number, failure: Failure): void {
    const block = this.#block
    block.at(offset)
    block.add(HEADER.pipeline, this.#pipeline)
    block.add(HEADER.errorCode, failure.code)
    block.add(HEADER.errorMessage, failure.message)
    block.add(HEADER.attempts, String(failure.attempts ?? 1))
    block.add(HEADER.failedAt, this.#failedAt)
    if (failure.trace !== undefined) block.add(HEADER.traceparent, failure.trace)
  }

  /** Headers that contradict themselves are left out, and the letter says so. */
  #copyHeaders(record: RecordInput, failure: Failure): void {
    try {
      this.#block.copy(record)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      this.#begin(record.offset, {
        ...failure,
        message: `${failure.message} (its headers are unreadable)`.trim(),
      })
    }
  }

  #add(bytes: Buffer, keyStart: number, keyEnd: number, timestamp: number, value: Buffer | null): boolean {
    const target = this.#outbox.partitionOf(bytes, keyStart, keyEnd, this.#partition)
    return this.#outbox.add(
      target,
      this.#outbox.clamp(timestamp, this.#now),
      bytes,
      keyStart,
      keyEnd,
      value,
      this.#block,
    )
  }
}

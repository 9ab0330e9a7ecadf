/** Encodes one topic's records of one task: a builder a partition, batches split before they pass the broker's limit. */
import { BatchBuilder } from '../cluster/kafka/codec/encode.ts'
import type { HeaderBlock } from '../cluster/kafka/codec/header-block.ts'
import { murmur2Partition } from '../cluster/kafka/codec/murmur2.ts'
import type { Destination, Produced } from './task.ts'

/** Batch header, record varints, and Millrace's own headers at their longest. */
const OWN_HEADERS = 2048

/** Builders of earlier tasks, with the buffers they have grown: in a thread one task follows the other. */
const spares = new WeakMap<Destination, BatchBuilder[]>()
const SPARES = 16

const sparesOf = (destination: Destination): BatchBuilder[] => {
  const known = spares.get(destination)
  if (known !== undefined) return known
  const made: BatchBuilder[] = []
  spares.set(destination, made)
  return made
}

export class Outbox {
  readonly #destination: Destination
  readonly #mapping: 'same' | 'key'
  readonly #batchRecords: number
  readonly #builders = new Map<number, BatchBuilder>()
  readonly #produced: Produced[] = []

  constructor(destination: Destination, mapping: 'same' | 'key', batchRecords: number) {
    this.#destination = destination
    this.#mapping = mapping
    this.#batchRecords = batchRecords
  }

  /** True where the broker writes its own time in place of ours. */
  get stampsAnew(): boolean {
    return this.#destination.logAppendTime
  }

  /** Latest timestamp the broker takes, with a second to spare for its own clock. */
  clamp(timestamp: number, now: number): number {
    return Math.min(timestamp, now + Math.max(0, this.#destination.maxAhead - 1000))
  }

  /** Null keys go by the input's partition as well. */
  partitionOf(key: Buffer, keyStart: number, keyEnd: number, inputPartition: number): number {
    const { partitions } = this.#destination
    if (this.#mapping === 'same' || keyStart < 0) return inputPartition % partitions
    return murmur2Partition(key, keyStart, keyEnd, partitions)
  }

  /** Whether a record of that many key and value bytes is sure to fit a batch, with the headers that Millrace itself adds. */
  fits(bytes: number): boolean {
    return bytes + OWN_HEADERS <= this.#destination.maxBatchBytes
  }

  /** False where the record alone passes the limit: it can never be written. */
  add(
    partition: number,
    timestamp: number,
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: string | Buffer | null,
    headers: HeaderBlock,
  ): boolean {
    const builder = this.#builders.get(partition) ?? this.#begin(partition, timestamp)
    if (builder.count >= this.#batchRecords) this.#finish(partition, builder)
    if (builder.append(timestamp, key, keyStart, keyEnd, value, headers)) return true
    if (builder.count === 0) return false
    this.#finish(partition, builder)
    builder.begin(timestamp)
    return builder.append(timestamp, key, keyStart, keyEnd, value, headers)
  }

  #begin(partition: number, timestamp: number): BatchBuilder {
    const limit = this.#destination.maxBatchBytes
    const builder = sparesOf(this.#destination).pop() ?? new BatchBuilder({ limit })
    builder.begin(timestamp)
    this.#builders.set(partition, builder)
    return builder
  }

  #finish(partition: number, builder: BatchBuilder): void {
    const batch = builder.finish()
    if (batch !== undefined) this.#produced.push({ partition, bytes: batch.bytes, records: batch.count })
  }

  take(): Produced[] {
    const kept = sparesOf(this.#destination)
    for (const [partition, builder] of this.#builders) {
      this.#finish(partition, builder)
      if (kept.length < SPARES) kept.push(builder)
    }
    this.#builders.clear()
    return this.#produced.splice(0)
  }
}

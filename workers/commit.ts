/** What one transaction holds: outputs, letters, drops and state of every ready batch, as parts for the writer. Pure. */
import { encodeBatch, type PlainRecord } from '../cluster/kafka/codec/records.ts'
import type { Part } from '../cluster/kafka/ports.ts'
import { formatBatch, HEADER } from '../cluster/protocol/headers.ts'
import type { Names } from '../cluster/protocol/names.ts'
import type { Batch } from '../pipelines/api/batches.ts'
import type { StateRecord } from './ledger.ts'
import type { InsightsTarget } from './slot.ts'
import type { Produced, TaskResult } from './task.ts'

/** Bytes of a batch around its records, and of a record around key and value: generous, so that a split batch always fits. */
const BATCH_OVERHEAD = 128
const RECORD_OVERHEAD = 64
const HEADER_OVERHEAD = 10

type Plain = Omit<PlainRecord, 'timestamp'> & { readonly key: string }

/** One or more batches for one partition, each under `maxBytes` (a single larger record stands alone). */
const batchesOf = (
  topic: string,
  partition: number,
  records: readonly Plain[],
  maxBytes: number,
  now: number,
): Part[] => {
  const groups: Plain[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const record of records) {
    const bytes = record.key.length + lengthOf(record.value) + headerBytes(record) + RECORD_OVERHEAD
    if (size + bytes > maxBytes) {
      groups.push([])
      size = BATCH_OVERHEAD
    }
    groups.at(-1)?.push(record)
    size += bytes
  }
  return groups.flatMap((group) => {
    const batch = encodeBatch(group.map((record) => ({ timestamp: now, ...record })))
    return batch === undefined ? [] : [{ topic, partition, bytes: batch.bytes, records: batch.count }]
  })
}

const headerBytes = ({ headers = [] }: Plain): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + (value?.length ?? 0) + HEADER_OVERHEAD, 0)
const lengthOf = (value: string | Uint8Array | null): number =>
  typeof value === 'string' ? Buffer.byteLength(value) : (value?.length ?? 0)

export interface StateTarget {
  readonly names: Names
  readonly slot: number
  /** max.message.bytes of the state topic. */
  readonly maxStateBytes: number
  /** Epoch ms. */
  readonly now: number
}

export const statePartsOf = (records: readonly StateRecord[], target: StateTarget): Part[] => {
  const plain = records.map(({ key, value }) => ({
    key,
    value: value === null || value instanceof Uint8Array ? value : JSON.stringify(value),
  }))
  return batchesOf(target.names.state, target.slot, plain, target.maxStateBytes, target.now)
}

export interface CommitParts {
  readonly parts: readonly Part[]
  /** Where the state parts begin in `parts`; they are last. */
  readonly stateFrom: number
}

/** Insights by count of one transaction. */
export interface Published {
  readonly to: InsightsTarget
  readonly batches: readonly Batch[]
}

/** The messages of a slot keep their order: they go to one partition. */
const insightsParts = ({ to, batches }: Published, { slot, now }: StateTarget): Part[] => {
  const records = batches.flatMap(({ number, records, messages }) => {
    const headers = [
      [HEADER.pipeline, to.pipeline],
      [HEADER.batch, formatBatch({ slot, number, records })],
    ] as const
    return messages.map((message) => ({ key: to.pipeline, value: JSON.stringify(message), headers }))
  })
  return batchesOf(to.topic, slot % to.partitions, records, to.maxBytes, now)
}

export const partsOf = (
  results: readonly TaskResult[],
  records: readonly StateRecord[],
  target: StateTarget,
  published?: Published,
): CommitParts => {
  const { names, slot } = target
  const of = (topic: string | undefined, produced: readonly Produced[]): Part[] =>
    topic === undefined ? [] : produced.map((one) => ({ topic, ...one }))
  const drops = results.flatMap((result) => result.drops)
  const data = [
    ...results.flatMap((result) => of(names.output, result.outputs)),
    ...results.flatMap((result) => of(names.deadLetters, result.letters)),
    ...batchesOf(
      names.drops,
      slot,
      drops.map((range) => ({ key: String(range.partition), value: JSON.stringify(range) })),
      target.maxStateBytes,
      target.now,
    ),
    ...(published === undefined ? [] : insightsParts(published, target)),
  ]
  return { parts: [...data, ...statePartsOf(records, target)], stateFrom: data.length }
}

/** State offset of each record, from the base offsets of the state parts: what orders the views. */
export const stateOffsets = (
  records: readonly StateRecord[],
  parts: readonly Part[],
  offsets: readonly number[],
): Map<string, number> => {
  const found = new Map<string, number>()
  let at = 0
  for (const [index, part] of parts.entries()) {
    for (let i = 0; i < part.records; i++) {
      const key = records[at++]?.key
      if (key !== undefined) found.set(key, (offsets[index] ?? -1) + i)
    }
  }
  return found
}

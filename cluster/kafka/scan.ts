/** Cold reading, read_committed: a range of one partition from outside (restore, audit, tail), or a follower of its end. */

import { MillraceError } from '../errors.ts'
import { RecordCursor } from './codec/decode.ts'
import { CodecError } from './codec/error.ts'
import { type BatchHeader, readHeader } from './codec/header.ts'
import { CODE, codeName, isForbidden, isTopicUnknown } from './codes.ts'
import { pause } from './failures.ts'
import { visibleBatches } from './filter.ts'
import { fetchRequest } from './requests/fetch.ts'
import type { Topology } from './topology.ts'

export interface ScanRange {
  readonly topic: string
  readonly partition: number
  readonly from: number
  /** Exclusive; undefined follows the end for ever. */
  readonly to?: number
}

export interface ScanOptions {
  readonly signal?: AbortSignal
  /** Called whenever a fetch found nothing new below `to`. */
  readonly atEnd?: () => void
  readonly maxDecompressedBytes?: number
  /** Told of a batch that cannot be read (too large once decompressed, say); absent, the scan ends with the error. */
  readonly unreadable?: (batch: BatchHeader, error: CodecError) => void
  /** ms without an answer from any leader before it gives up. */
  readonly deadline?: number
}

const FETCH_BYTES = 4 * 1024 ** 2
const WAIT_MS = 250
const RETRY_MS = 50
const DEFAULT_BOUND = 64 * 1024 ** 2

/**
 * Visits every committed record with `from <= offset < to` in order. The cursor is reused: copy what is kept.
 * @returns offset after the last batch seen
 * @throws MillraceError `position-gap` where `from` is below the log start, `topic-missing`, `kafka-auth`, `timeout`
 */
export const scan = async (
  topology: Topology,
  range: ScanRange,
  visit: (cursor: RecordCursor, batch: BatchHeader) => void,
  options: ScanOptions = {},
): Promise<number> => {
  const cursor = new RecordCursor()
  const { topicId } = await topology.topic(range.topic)
  let offset = range.from
  let silentSince = Date.now()
  while ((range.to === undefined || offset < range.to) && !options.signal?.aborted) {
    const fetched = await fetchOnce(topology, range, topicId, offset)
    if (fetched === undefined) {
      if (Date.now() - silentSince > (options.deadline ?? 30_000))
        throw new MillraceError('timeout', `no leader of ${range.topic}/${range.partition} answers`)
      await pause(RETRY_MS, options.signal)
      continue
    }
    silentSince = Date.now()
    const { batches, next } = visibleBatches(fetched.records, offset, fetched.aborted)
    for (const batch of batches)
      visitBatch(fetched.records, batch.start, cursor, { ...range, from: offset }, visit, options)
    if (next === offset) options.atEnd?.()
    offset = next
  }
  return offset
}

const visitBatch = (
  bytes: Buffer,
  start: number,
  cursor: RecordCursor,
  range: ScanRange,
  visit: (cursor: RecordCursor, batch: BatchHeader) => void,
  options: ScanOptions,
): void => {
  const header = readHeader(bytes, start)
  if (header === undefined) return
  try {
    cursor.reset(bytes, header, options.maxDecompressedBytes ?? DEFAULT_BOUND)
    while (cursor.next()) {
      if (cursor.offset < range.from || (range.to !== undefined && cursor.offset >= range.to)) continue
      visit(cursor, header)
    }
  } catch (error) {
    if (!(error instanceof CodecError) || options.unreadable === undefined) throw error
    options.unreadable(header, error)
  }
}

/** Undefined where asking again may help. */
const fetchOnce = async (topology: Topology, range: ScanRange, topicId: string, offset: number) => {
  const { topic, partition } = range
  const leader = await topology.leader(topic, partition).catch(() => undefined)
  if (leader === undefined) return undefined
  const target = { topicId, partition, leaderEpoch: leader.leaderEpoch, offset, maxBytes: FETCH_BYTES }
  const request = fetchRequest([target], { maxWait: WAIT_MS, maxBytes: FETCH_BYTES })
  const reply = await topology.connections.call(leader.leader, request).catch(() => undefined)
  const fetched = reply?.partitions[0]
  if (reply?.code === CODE.none && fetched?.code === CODE.none) return fetched
  await topology.refresh(topic).catch(() => undefined)
  if (fetched === undefined) return undefined
  if (fetched.code === CODE.offsetOutOfRange)
    throw new MillraceError(
      'position-gap',
      `offset ${offset} of ${topic}/${partition} is outside the log, which begins at ${fetched.logStartOffset}`,
    )
  if (isForbidden(fetched.code))
    throw new MillraceError('kafka-auth', `Kafka refuses to let ${topic}/${partition} be read`)
  if (isTopicUnknown(fetched.code) && topology.knownTopic(topic)?.topicId !== topicId)
    throw new MillraceError('topic-missing', `${topic}/${partition}: ${codeName(fetched.code)}`)
  return undefined
}

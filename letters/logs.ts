/** Reading, read_committed and from outside: the dead-letter topic, the marks, a record of the input by its origin. */
import { createHash } from 'node:crypto'
import { MillraceError } from '../cluster/errors.ts'
import { type RecordCursor, readHeaders } from '../cluster/kafka/codec/decode.ts'
import { CodecError } from '../cluster/kafka/codec/error.ts'
import type { DecodedRecord } from '../cluster/kafka/codec/records.ts'
import { scan } from '../cluster/kafka/scan.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import { HEADER, type Origin } from '../cluster/protocol/headers.ts'
import { type Foreign, type Letter, readLetter, wholeLetter } from './letter.ts'
import { MarkBook } from './marks.ts'

export interface LetterSource {
  /** Of the home cluster. */
  readonly topology: Topology
  readonly topic: string
  readonly pipeline: string
}

export interface LetterScan {
  /** By partition, where to begin; absent: at the log start. */
  readonly from?: ReadonlyMap<number, number>
  readonly signal?: AbortSignal
  readonly progress?: (done: number, total: number) => void
}

/** The cursor moves on, so its bytes are copied. */
const copied = (cursor: RecordCursor): DecodedRecord => {
  const part = (start: number, end: number) =>
    start < 0 ? null : Buffer.from(cursor.bytes.subarray(start, end))
  return {
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: part(cursor.keyStart, cursor.keyEnd),
    value: part(cursor.valueStart, cursor.valueEnd),
    headers: headersOf(cursor).map(([name, value]) => [name, value === null ? null : Buffer.from(value)]),
  }
}

/** Whatever others write: headers that contradict themselves are none, and the records behind them are read all the same. */
const headersOf = (cursor: RecordCursor): DecodedRecord['headers'] => {
  try {
    return readHeaders(cursor)
  } catch (error) {
    if (error instanceof CodecError) return []
    throw error
  }
}

/** A batch that cannot be read is none that Millrace has written. */
const unreadable = (): void => {}

const TELL_EVERY = 1000

/**
 * Visits what the dead-letter topic holds now, partition by partition.
 * @returns by partition, where to go on
 */
export const scanLetters = async (
  { topology, topic, pipeline }: LetterSource,
  visit: (found: Letter | Foreign) => void,
  { from, signal, progress }: LetterScan = {},
): Promise<ReadonlyMap<number, number>> => {
  const partitions = [...(await topology.topic(topic)).partitions.keys()]
  const starts = await topology.offsets(topic, partitions)
  const ends = await topology.ends(topic, partitions)
  const startOf = (partition: number) => Math.max(from?.get(partition) ?? 0, starts.get(partition) ?? 0)
  const endOf = (partition: number) => ends.get(partition) ?? 0
  const total = partitions.reduce((sum, one) => sum + Math.max(0, endOf(one) - startOf(one)), 0)
  const next = new Map<number, number>()
  let done = 0
  for (const partition of partitions) {
    const begin = startOf(partition)
    let left = TELL_EVERY
    const seen = (cursor: RecordCursor) => {
      visit(readLetter(topic, partition, copied(cursor), pipeline))
      if (--left > 0) return
      left = TELL_EVERY
      progress?.(done + cursor.offset - begin, total)
    }
    const range = { topic, partition, from: begin, to: endOf(partition) }
    const options = { unreadable, ...(signal && { signal }) }
    next.set(partition, begin >= range.to ? begin : await scan(topology, range, seen, options))
    done += Math.max(0, range.to - begin)
    progress?.(done, total)
  }
  return next
}

/** Undefined where the log holds no such record any more (or never did). */
export const recordAt = async (topology: Topology, place: Origin): Promise<DecodedRecord | undefined> => {
  const { topic, partition, offset } = place
  const metadata = await topology.topic(topic)
  if (partition >= metadata.partitions.length) return undefined
  const start = (await topology.offsets(topic, [partition])).get(partition) ?? 0
  const end = (await topology.ends(topic, [partition])).get(partition) ?? 0
  if (offset < start || offset >= end) return undefined
  let found: DecodedRecord | undefined
  const range = { topic, partition, from: offset, to: offset + 1 }
  const keep = (cursor: RecordCursor) => {
    found = copied(cursor)
  }
  await scan(topology, range, keep, { unreadable }).catch(ifGone)
  return found
}

/** Retention may have deleted it a moment ago. */
const ifGone = (error: unknown): void => {
  if (!(error instanceof MillraceError) || error.code !== 'position-gap') throw error
}

/** A reference becomes the whole letter while the input holds its record; undefined where it does not, or holds another. */
export const completed = async (input: Topology, letter: Letter): Promise<Letter | undefined> => {
  if (letter.body !== 'reference') return letter
  const record = await recordAt(input, letter.origin)
  const sum = record?.value == null ? undefined : createHash('sha256').update(record.value).digest('hex')
  return record === undefined || sum !== letter.sha256 ? undefined : wholeLetter(letter, record)
}

/**
 * Marks; none where the topic is not made yet.
 * @param upTo `ends`: what is committed now, for those who look. `written`: also behind what is just being decided, for those
 * who send: they have fenced all others first, whose open transaction would hold it up.
 */
export const readMarks = async (
  topology: Topology,
  topic: string,
  topicId: string,
  upTo: 'ends' | 'written',
): Promise<MarkBook> => {
  const book = new MarkBook(topicId)
  await topology.refresh(topic)
  if (topology.knownTopic(topic) === undefined) return book
  const from = (await topology.offsets(topic, [0])).get(0) ?? 0
  const to = (await topology[upTo](topic, [0])).get(0) ?? 0
  if (from >= to) return book
  await scan(topology, { topic, partition: 0, from, to }, (cursor) => {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor
    const value = valueStart < 0 ? null : bytes.toString('utf8', valueStart, valueEnd)
    if (keyStart >= 0) book.note(bytes.toString('utf8', keyStart, keyEnd), value)
  })
  return book
}

/** Which of those letters the input's partition holds again from there on, by their places, and where its log begins now. */
export const sentAgain = async (
  topology: Topology,
  { topic, partition, offset }: Origin,
  places: ReadonlySet<string>,
): Promise<{ readonly found: ReadonlySet<string>; readonly start: number }> => {
  const found = new Set<string>()
  const start = (await topology.offsets(topic, [partition])).get(partition) ?? 0
  const to = (await topology.written(topic, [partition])).get(partition) ?? 0
  const from = Math.max(offset, start)
  const look = (cursor: RecordCursor) => {
    for (const [name, value] of headersOf(cursor)) {
      const place = name === HEADER.replayOf ? (value?.toString() ?? '') : ''
      if (places.has(place)) found.add(place)
    }
  }
  if (from < to) await scan(topology, { topic, partition, from, to }, look, { unreadable })
  return { found, start }
}

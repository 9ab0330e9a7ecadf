/** Follows all partitions of a topic, committed records only, from a point of choice. */
import { MillraceError } from '../cluster/errors.ts'
import { EventBus } from '../cluster/events.ts'
import { kafkaConfig, type Which } from '../cluster/kafka/client.ts'
import { type DecodedRecord, decodeAll } from '../cluster/kafka/codec/records.ts'
import type { Chunk, ReadFault } from '../cluster/kafka/ports.ts'
import { KafkaReader } from '../cluster/kafka/reader.ts'
import { Connections } from '../cluster/kafka/seam.ts'
import { Topology } from '../cluster/kafka/topology.ts'
import type { Settings } from '../cluster/settings.ts'

export type TailedRecord = DecodedRecord & { readonly partition: number }

export type StartPoint =
  | { readonly at: 'beginning' | 'end' }
  | { readonly at: 'offset'; readonly offset: number }
  /** Epoch ms: the first record of that time or later. */
  | { readonly at: 'time'; readonly time: number }

/** `beginning`, `end`, an offset, or a time such as 2026-03-01T12:00Z. */
export const parseStartPoint = (text: string): StartPoint => {
  if (text === 'beginning' || text === 'end') return { at: text }
  if (/^\d+$/.test(text)) return { at: 'offset', offset: Number(text) }
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw new MillraceError('usage', `--from is ${JSON.stringify(text)}`, {
      remedy: 'give beginning, end, an offset, or a time such as 2026-03-01T12:00Z',
    })
  return { at: 'time', time }
}

export interface TailOptions {
  readonly from: StartPoint
  /** Ends after so many records. */
  readonly most: number
  /** False ends where the topic ended. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

/** @throws MillraceError `topic-missing` */
export const tail = async (
  settings: Settings,
  source: { readonly topic: string; readonly which: Which },
  options: TailOptions,
  visit: (record: TailedRecord) => void,
): Promise<void> => {
  const connections = new Connections(kafkaConfig(settings, source.which))
  try {
    await connections.connect()
    const topology = new Topology(connections)
    await tailAll(topology, source.topic, options, visit)
  } finally {
    await connections.close()
  }
}

const tailAll = async (
  topology: Topology,
  topic: string,
  options: TailOptions,
  visit: (record: TailedRecord) => void,
): Promise<void> => {
  const partitions = [...(await topology.topic(topic)).partitions.keys()]
  const ends = await topology.ends(topic, partitions)
  const starts = await startOffsets(topology, topic, ends, options.from)
  const open = new Set(partitions)
  let left = options.most
  const reader = new KafkaReader(
    topology,
    { topic, fetchBytes: FETCH_BYTES, fetchWait: FETCH_WAIT },
    new EventBus(),
  )
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const reached = (partition: number, offset: number) => {
    if (!options.follow && offset >= (ends.get(partition) ?? 0)) open.delete(partition)
    if (left === 0 || open.size === 0) resolve()
  }
  const take = (chunk: Chunk) => {
    for (const record of recordsOf(chunk)) {
      if (left === 0) break
      left--
      visit({ partition: chunk.partition, ...record })
    }
    reached(chunk.partition, chunk.next)
  }
  const fault = (found: ReadFault) => reject(new MillraceError(found.fault, found.detail))
  options.signal.addEventListener('abort', () => resolve())
  for (const [partition, from] of starts) reached(partition, from)
  for (const partition of open)
    reader.open(partition, starts.get(partition) ?? 0, { wants: () => left > 0, chunk: take, fault })
  await promise.finally(() => reader.stop())
}

const FETCH_BYTES = 1024 ** 2
const FETCH_WAIT = 250
const MOST_DECOMPRESSED = 256 * 1024 ** 2

/** The first batch may begin before the offset that was asked for. */
const recordsOf = ({ batches, bytes, from }: Chunk) =>
  batches
    .flatMap(({ start, end }) => decodeAll(bytes.subarray(start, end), MOST_DECOMPRESSED))
    .filter(({ offset }) => offset >= from)

/** Within what the log holds: an offset beyond it starts at its nearer end. */
export const startOffsets = async (
  topology: Topology,
  topic: string,
  end: ReadonlyMap<number, number>,
  from: StartPoint,
): Promise<ReadonlyMap<number, number>> => {
  const partitions = [...end.keys()]
  const first = await topology.offsets(topic, partitions)
  const atTime = from.at === 'time' ? await topology.offsets(topic, partitions, from.time) : end
  const wished = (partition: number): number => {
    if (from.at === 'beginning') return 0
    if (from.at === 'offset') return from.offset
    const found = atTime.get(partition) ?? -1
    return found < 0 ? (end.get(partition) ?? 0) : found
  }
  const within = (partition: number) =>
    Math.min(Math.max(wished(partition), first.get(partition) ?? 0), end.get(partition) ?? 0)
  return new Map(partitions.map((partition) => [partition, within(partition)]))
}

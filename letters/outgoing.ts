/**
 * A letter on its way back: which may go, in which order, as which record. Laws: records of one input partition go in the order of
 * their origins, and so those of one key; a letter that was sent so often already does not go round once more. Pure but for the ids
 * of spans.
 */
import type { LetterSent } from '../cluster/events.ts'
import { murmur2Partition } from '../cluster/kafka/codec/murmur2.ts'
import type { PlainRecord } from '../cluster/kafka/codec/records.ts'
import { formatOrigin, HEADER } from '../cluster/protocol/headers.ts'
import { childOf, formatTraceparent, parseTraceparent } from '../cluster/trace.ts'
import { type Letter, weightOf } from './letter.ts'
import type { Mark } from './marks.ts'

/** Why a letter stays. */
export type Held =
  /** It was sent or parked before. */
  | 'settled'
  /** Over two clusters: it may have been sent, and the input no longer holds what would tell. */
  | 'unproven'
  /** It was sent so often already. */
  | 'looping'
  /** There is no record to send. */
  | 'unreadable'
  /** Too large for a letter, and the input no longer holds it. */
  | 'gone'
  /** Kafka does not take it. */
  | 'refused'

export interface Guard {
  readonly maxReplays: number
  /** Sends what is settled again. */
  readonly force: boolean
}

/** Undefined where it may go. */
export const heldBack = (letter: Letter, mark: Mark | undefined, guard: Guard): Held | undefined => {
  if (mark !== undefined && !guard.force) return mark.state === 'done' ? 'settled' : 'unproven'
  if (letter.body === 'unreadable') return 'unreadable'
  return letter.replays >= guard.maxReplays ? 'looping' : undefined
}

export const inOrder = (letters: readonly Letter[]): readonly Letter[] =>
  letters.toSorted(
    (a, b) => a.origin.offset - b.origin.offset || a.origin.partition - b.origin.partition || 0,
  )

export interface Outgoing {
  readonly letter: Letter
  readonly partition: number
  readonly record: PlainRecord
  /** Bytes, roughly. */
  readonly weight: number
  /** Its spans; absent where the letter belongs to no trace. */
  readonly trace?: LetterSent['trace']
}

const traceOf = (letter: Letter, isMended: boolean): LetterSent['trace'] | undefined => {
  const parent = parseTraceparent(letter.trace ?? '')
  if (parent === undefined) return undefined
  const repair = isMended ? childOf(parent) : undefined
  return {
    parent: formatTraceparent(parent),
    ...(repair && { repair: formatTraceparent(repair) }),
    own: formatTraceparent(childOf(repair ?? parent)),
  }
}

export interface Sending {
  /** Of the input. */
  readonly partitions: number
  /** Epoch ms. */
  readonly now: number
}

/** The partition it came from, where there still is one of that number. */
const partitionOf = ({ origin, key }: Letter, partitions: number): number => {
  if (origin.partition < partitions) return origin.partition
  return key === null ? origin.partition % partitions : murmur2Partition(key, 0, key.length, partitions)
}

/** @param mended the value in place of the letter's, and by what */
export const outgoing = (
  letter: Letter,
  { partitions, now }: Sending,
  mended?: { readonly value: Buffer; readonly by: string },
): Outgoing => {
  const value = mended === undefined ? letter.value : mended.value
  const trace = traceOf(letter, mended !== undefined)
  const headers = [
    ...letter.headers.filter(([name]) => trace === undefined || name !== HEADER.traceparent),
    ...(trace === undefined ? [] : [[HEADER.traceparent, trace.own] as const]),
    [HEADER.replays, String(letter.replays + 1)] as const,
    [HEADER.replayOf, formatOrigin(letter.place)] as const,
    ...(mended === undefined ? [] : [[HEADER.repaired, mended.by] as const]),
  ]
  return {
    letter,
    partition: partitionOf(letter, partitions),
    record: { timestamp: now, key: letter.key, value, headers },
    weight: weightOf({ ...letter, value }),
    ...(trace && { trace }),
  }
}

/** What one transaction takes: at least one, else up to both bounds. */
export const nextChunk = (
  queue: readonly Outgoing[],
  bounds: { readonly records: number; readonly bytes: number },
): readonly Outgoing[] => {
  let bytes = 0
  const end = queue.findIndex(({ weight }, index) => {
    bytes += weight
    return index > 0 && (index >= bounds.records || bytes > bounds.bytes)
  })
  return end < 0 ? queue : queue.slice(0, end)
}

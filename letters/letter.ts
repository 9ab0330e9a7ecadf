/**
 * A dead letter as it is read back (workers/letter.ts writes it): Millrace's own headers stand first, behind them those of the
 * record, among which there may be such names again where the record was itself sent again. Pure.
 */
import type { DecodedRecord } from '../cluster/kafka/codec/records.ts'
import { HEADER, type Origin, parseOrigin } from '../cluster/protocol/headers.ts'
import { parseTraceparent } from '../cluster/trace.ts'

export type Headers = readonly (readonly [name: string, value: Buffer | null])[]

/**
 * `whole`: its record is in it. `reference`: the record was too large; it may still stand in the input. `unreadable`: its batch
 * could never be read, so that there is nothing to send.
 */
export type Body = 'whole' | 'reference' | 'unreadable'

interface Found {
  /** Where it stands in the dead-letter topic. */
  readonly place: Origin
  /** Epoch ms: when the record failed. */
  readonly at: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** The record's own, without the marks of a replay. */
  readonly headers: Headers
}

export interface Letter extends Found {
  readonly kind: 'letter'
  readonly body: Body
  readonly origin: Origin
  readonly code: string
  readonly message: string
  readonly attempts: number
  /** How often its record was sent again before it came here. */
  readonly replays: number
  /** Of a reference. */
  readonly sha256?: string
  /** `traceparent` of the run that failed last. */
  readonly trace?: string
}

/** Somebody else's: without our headers, or of another pipeline that shares the topic. */
export interface Foreign extends Found {
  readonly kind: 'foreign'
  readonly pipeline?: string
}

const OWN: readonly string[] = [
  HEADER.origin,
  HEADER.pipeline,
  HEADER.errorCode,
  HEADER.errorMessage,
  HEADER.attempts,
  HEADER.failedAt,
  HEADER.valueSha256,
  HEADER.traceparent,
]
const MARKS: readonly string[] = [HEADER.replays, HEADER.replayOf, HEADER.repaired]

export const readLetter = (
  topic: string,
  partition: number,
  record: DecodedRecord,
  pipeline: string,
): Letter | Foreign => {
  const { own, rest } = apart(record.headers)
  const { key, value, offset, timestamp } = record
  const failedAt = Date.parse(own.get(HEADER.failedAt) ?? '')
  const found = {
    place: { topic, partition, offset },
    at: Number.isNaN(failedAt) ? timestamp : failedAt,
    key,
    value,
    headers: rest.filter(([name]) => !MARKS.includes(name)),
  }
  const origin = parseOrigin(own.get(HEADER.origin) ?? '')
  const [code, of] = [own.get(HEADER.errorCode), own.get(HEADER.pipeline)]
  if (origin === undefined || code === undefined || of !== pipeline)
    return { kind: 'foreign', ...found, ...(of !== undefined && { pipeline: of }) }
  const [sha256, trace] = [own.get(HEADER.valueSha256), own.get(HEADER.traceparent)]
  return {
    kind: 'letter',
    ...found,
    body: bodyOf(value, code, sha256),
    origin,
    code,
    message: own.get(HEADER.errorMessage) ?? '',
    attempts: Number(own.get(HEADER.attempts) ?? 1),
    replays: replaysOf(rest),
    ...(value === null && sha256 !== undefined && { sha256 }),
    ...(trace !== undefined && { trace }),
  }
}

/** The leading headers, as far as each is one of ours and comes for the first time; and all behind them. */
const apart = (headers: Headers) => {
  const own = new Map<string, string>()
  const end = headers.findIndex(([name, value]) => {
    if (!OWN.includes(name) || own.has(name)) return true
    // Letters of earlier versions have none of ours: what does not parse is the record's.
    if (name === HEADER.traceparent && parseTraceparent(value?.toString() ?? '') === undefined) return true
    own.set(name, value?.toString() ?? '')
    return false
  })
  return { own, rest: end < 0 ? [] : headers.slice(end) }
}

const bodyOf = (value: Buffer | null, code: string, sha256: string | undefined): Body => {
  if (value !== null) return 'whole'
  if (sha256 !== undefined) return 'reference'
  return code.startsWith('batch-') ? 'unreadable' : 'whole'
}

/** Also of an input record's headers. */
export const replaysOf = (headers: Headers): number => {
  const text = headers.find(([name]) => name === HEADER.replays)?.[1]?.toString() ?? ''
  return /^\d{1,6}$/.test(text) ? Number(text) : 0
}

/** The whole letter of a reference, from its record in the input. */
export const wholeLetter = (letter: Letter, record: DecodedRecord): Letter => ({
  ...letter,
  body: 'whole',
  key: record.key,
  value: record.value,
  headers: record.headers.filter(([name]) => !MARKS.includes(name)),
  replays: replaysOf(record.headers),
})

/** Bytes that it takes in memory, roughly. */
export const weightOf = ({ key, value, headers }: Letter): number =>
  headers.reduce(
    (sum, [name, content]) => sum + name.length + (content?.length ?? 0),
    (key?.length ?? 0) + (value?.length ?? 0) + 512,
  )

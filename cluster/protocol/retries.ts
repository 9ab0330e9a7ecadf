/**
 * What travels of a record that waits for another run (protocol P4). A frame is one line of JSON and raw bytes behind it;
 * the bytes of a record are a batch of one that keeps the input's offset, so that every reader of batches reads it.
 *
 *   state topic, key `retry/<partition>/<offset>`   ParkedHead + record
 *   state topic, key `tried/<partition>/<offset>`   Tried: later runs that failed as well; small, so that no record is written twice
 *   retried topic, key `<partition>/<offset>`       ResultHead + output as JSON + record
 *   BullMQ job `<partition>-<offset>`               RetryData: coordinates, and what is masked
 *
 * Laws: a result counts only under the park id of the parked record, and only the first that settles it; a failed run
 * counts only where its number is higher than that of the last; everything else is ignored, whoever wrote it.
 */
export interface ParkedHead {
  /** Claim that parked it, partition, offset: no other parking ever has the same. */
  readonly park: string
  /** Runs so far. */
  readonly attempts: number
  readonly code: string
  readonly message: string
  /** Epoch ms of the next run. */
  readonly due: number
  /** What people may see of the key; masked. */
  readonly key: string
  /** The same of the value. */
  readonly preview: string
  /** `traceparent` of the run that failed first. */
  readonly trace?: string | undefined
}

export interface Tried {
  readonly park: string
  readonly attempts: number
  readonly code: string
  readonly due: number
}

export type ResultHead = {
  readonly park: string
  /** Number of the run, the first included. */
  readonly attempt: number
  /** Bytes of the output's JSON between the line and the record. */
  readonly json: number
  /** `traceparent` of the run. */
  readonly trace?: string | undefined
} & (
  | { readonly outcome: 'done' }
  | { readonly outcome: 'drop'; readonly code: string }
  | { readonly outcome: 'dead'; readonly code: string; readonly message: string }
  /** It failed again and runs once more at `due`. */
  | { readonly outcome: 'retry'; readonly code: string; readonly message: string; readonly due: number }
)

export interface RunResult {
  readonly partition: number
  readonly offset: number
  readonly head: ResultHead
  readonly json: string
  readonly record: Buffer
}

/** What people may expect of a job. */
export interface Outlook {
  /** E.g. `run 2 of 4`. */
  readonly next: string
  /** ISO time. */
  readonly due: string
}

export const outlookOf = (run: number, runs: number, due: number): Outlook => ({
  next: `run ${run} of ${runs}`,
  due: new Date(due).toISOString(),
})

/**
 * What a job says; enough to find the record, nothing of what is in it but what is masked. Code, message
 * and outlook are for people: each run writes them anew.
 */
export interface RetryData extends Outlook {
  /** `topic/partition/offset` of the input. */
  readonly origin: string
  readonly partition: number
  readonly offset: number
  readonly slot: number
  /** Of the parked record, in the slot's partition of the state topic. */
  readonly stateOffset: number
  readonly park: string
  /** Runs before this job's first. */
  readonly runsBefore: number
  readonly code: string
  readonly message: string
  readonly key: string
  readonly preview: string
  /** Of the record's trace. */
  readonly traceId?: string
}

const NEWLINE = 0x0a

/** Its bytes are its own: they may change hands. */
export const frame = (head: object, ...bodies: readonly Uint8Array[]): Buffer => {
  const line = Buffer.from(`${JSON.stringify(head)}\n`)
  const bytes = Buffer.allocUnsafeSlow(bodies.reduce((sum, body) => sum + body.length, line.length))
  let at = line.copy(bytes)
  for (const body of bodies) {
    bytes.set(body, at)
    at += body.length
  }
  return bytes
}

/** Undefined where the bytes are no frame. */
const unframe = (bytes: Buffer): { readonly head: unknown; readonly body: Buffer } | undefined => {
  const end = bytes.indexOf(NEWLINE)
  if (end < 0) return undefined
  try {
    return { head: JSON.parse(bytes.toString('utf8', 0, end)), body: bytes.subarray(end + 1) }
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const isText = (value: unknown): value is string => typeof value === 'string'
const isAbsentOrText = (value: unknown): boolean => value === undefined || isText(value)

const isParked = (head: unknown): head is ParkedHead =>
  isObject(head) &&
  [head.park, head.code, head.message, head.key, head.preview].every(isText) &&
  [head.attempts, head.due].every(isCount) &&
  isAbsentOrText(head.trace)

export const parseParked = (
  bytes: Buffer,
): { readonly head: ParkedHead; readonly record: Buffer } | undefined => {
  const found = unframe(bytes)
  return found !== undefined && isParked(found.head) ? { head: found.head, record: found.body } : undefined
}

/** The texts that each outcome brings. */
const texts: Readonly<Record<string, readonly string[]>> = {
  done: [],
  drop: ['code'],
  dead: ['code', 'message'],
  retry: ['code', 'message'],
}

const isResult = (head: unknown): head is ResultHead => {
  if (!isObject(head) || !isText(head.park) || !isAbsentOrText(head.trace)) return false
  if (!isCount(head.attempt) || !isCount(head.json)) return false
  const needed = isText(head.outcome) && Object.hasOwn(texts, head.outcome) ? texts[head.outcome] : undefined
  return (
    needed?.every((name) => isText(head[name])) === true && (head.outcome !== 'retry' || isCount(head.due))
  )
}

export const resultKey = (partition: number, offset: number): string => `${partition}/${offset}`

type WithoutJson<T> = T extends unknown ? Omit<T, 'json'> : never
/** The value of a record of the retried topic. */
export const resultFrame = (
  head: WithoutJson<ResultHead>,
  json = '',
  record: Uint8Array = Buffer.alloc(0),
): Buffer => {
  const bytes = Buffer.from(json)
  return frame({ ...head, json: bytes.length }, bytes, record)
}

/** Undefined where somebody else wrote it. */
export const parseResult = (key: Buffer | null, value: Buffer | null): RunResult | undefined => {
  const place = /^(\d+)\/(\d+)$/.exec(key?.toString('latin1') ?? '')
  const found = value === null ? undefined : unframe(value)
  if (place === null || found === undefined || !isResult(found.head)) return undefined
  const { head, body } = found
  return {
    partition: Number(place[1]),
    offset: Number(place[2]),
    head,
    json: body.toString('utf8', 0, head.json),
    record: body.subarray(head.json),
  }
}

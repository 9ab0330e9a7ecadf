/**
 * Results of retries on their way into a commit: a queue of its own beside the mailbox, so that a full input never holds
 * them back. Strictly first in, first out: the position in `retried` passes a result only together with what came of it.
 *
 * A fetched chunk becomes one entry a partition: the accepted results, as batches of one, with what their records came to.
 */
import { CodecError } from '../../cluster/kafka/codec/error.ts'
import { readHeader } from '../../cluster/kafka/codec/header.ts'
import { type DecodedRecord, decodeAll } from '../../cluster/kafka/codec/records.ts'
import type { BatchSlice, Chunk } from '../../cluster/kafka/ports.ts'
import { parseResult, type RunResult } from '../../cluster/protocol/retries.ts'
import { type Entry, timesNow } from '../mailbox.ts'
import { NO_OVERRIDES, type Settled } from '../task.ts'
import type { Judge } from './judge.ts'
import type { Returned } from './parked.ts'

export interface ReturnEntry extends Entry {
  readonly settled: ReadonlyMap<number, Settled>
  readonly returned: Returned
}

export interface ReturnLimits {
  readonly bytes: number
  /** Entries in the pool or ready ahead of the commit. */
  readonly ahead: number
}

export class Returns {
  readonly #limits: ReturnLimits
  readonly #judge: Judge
  #entries: ReturnEntry[] = []

  constructor(limits: ReturnLimits, judge: Judge) {
    this.#limits = limits
    this.#judge = judge
  }

  get full(): boolean {
    return this.#bytes >= this.#limits.bytes
  }
  get empty(): boolean {
    return this.#entries.length === 0
  }
  get running(): number {
    return this.#entries.filter(({ state }) => state === 'running').length
  }
  get #bytes(): number {
    return this.#entries.reduce((sum, { chunk }) => sum + chunk.bytes.length, 0)
  }

  /** @param home a partition of the slot, for results that count for none */
  push(chunk: Chunk, home: number): void {
    this.#entries.push(...entriesOf(chunk, home, this.#judge))
    chunk.release?.()
  }

  /** The next entry for the pool, now running; undefined where none waits or enough are ahead. */
  takeWaiting(): ReturnEntry | undefined {
    const ahead = this.#entries.filter(({ state, chunk }) => state !== 'waiting' && chunk.records > 0).length
    if (ahead >= this.#limits.ahead) return undefined
    const entry = this.#entries.find(({ state }) => state === 'waiting')
    if (entry !== undefined) entry.state = 'running'
    return entry
  }

  /** The ready ones before the first that is not, up to that many bytes (at least one). */
  ready(maxBytes: number): ReturnEntry[] {
    const found: ReturnEntry[] = []
    let bytes = 0
    for (const entry of this.#entries) {
      bytes += entry.chunk.bytes.length
      if (entry.state !== 'ready' || (found.length > 0 && bytes > maxBytes)) break
      found.push(entry)
    }
    return found
  }

  remove(entries: readonly Entry[]): void {
    const gone = new Set(entries)
    this.#entries = this.#entries.filter((entry) => !gone.has(entry))
  }

  /** Of a release: what no thread has begun is read again by the next owner. */
  dropWaiting(): void {
    const first = this.#entries.findIndex(({ state }) => state === 'waiting')
    if (first >= 0) this.#entries.splice(first)
  }

  clear(): void {
    this.#entries = []
  }
}

const entriesOf = (chunk: Chunk, home: number, judge: Judge): ReturnEntry[] => {
  const byPartition = new Map<number, RunResult[]>()
  for (const result of resultsOf(chunk)) {
    if (!isWhole(result) || judge.judge(result) === 'ignored') continue
    const others = byPartition.get(result.partition) ?? []
    others.push(result)
    byPartition.set(result.partition, others)
  }
  if (byPartition.size === 0) byPartition.set(home, [])
  const last = [...byPartition.keys()].at(-1)
  return [...byPartition].map(([partition, results]) =>
    entryOf(partition, results, partition === last ? chunk.next : undefined, chunk),
  )
}

/** What is no result is somebody else's: it passes unheard, and a record whose result was lost in it is run again. */
const resultsOf = ({ bytes, batches, from }: Chunk): RunResult[] =>
  batches.flatMap(({ start, end }) =>
    readable(bytes.subarray(start, end)).flatMap(({ offset, key, value }) =>
      offset < from ? [] : (parseResult(key, value) ?? []),
    ),
  )

const readable = (batch: Buffer): DecodedRecord[] => {
  try {
    return decodeAll(batch)
  } catch (error) {
    if (error instanceof CodecError) return []
    throw error
  }
}

/** What settles a record brings it along: without it there would be nothing to write. */
const isWhole = ({ offset, head, record }: RunResult): boolean => {
  if (head.outcome === 'retry') return true
  try {
    const found = readHeader(record, 0)
    return found?.baseOffset === offset && found.count === 1 && found.end === record.length
  } catch (error) {
    if (error instanceof CodecError) return false
    throw error
  }
}

const entryOf = (
  partition: number,
  results: readonly RunResult[],
  next: number | undefined,
  { leaderEpoch, lastStableOffset }: Chunk,
): ReturnEntry => {
  const settling = results
    .filter(({ head }) => head.outcome !== 'retry')
    .toSorted((a, b) => a.offset - b.offset)
  const tried = results.flatMap(({ offset, head }) =>
    head.outcome === 'retry'
      ? [{ offset, park: head.park, attempts: head.attempt, code: head.code, due: head.due }]
      : [],
  )
  const settled = new Map(settling.map((result) => [result.offset, settledOf(result)]))
  const bytes = Buffer.concat(settling.map(({ record }) => record))
  const batches = slicesOf(bytes)
  const offsets = { from: batches[0]?.baseOffset ?? 0, next: (batches.at(-1)?.lastOffset ?? -1) + 1 }
  return {
    chunk: { partition, ...offsets, bytes, batches, records: settling.length, leaderEpoch, lastStableOffset },
    state: settling.length === 0 ? 'ready' : 'waiting',
    result: undefined,
    overrides: NO_OVERRIDES,
    times: timesNow(),
    settled,
    returned: {
      ...(next !== undefined && { next }),
      settled: [...settled.keys()],
      tried: lastOf(tried, settled),
    },
  }
}

/** A record that failed and was settled later in the same chunk has nothing left to be said of it; of two failures the last counts. */
const lastOf = (tried: Returned['tried'], settled: ReadonlyMap<number, Settled>): Returned['tried'] => [
  ...new Map(tried.filter(({ offset }) => !settled.has(offset)).map((one) => [one.offset, one])).values(),
]

const settledOf = ({ head, json }: RunResult): Settled => {
  const { attempt: attempts, trace } = head
  if (head.outcome === 'done') return { outcome: 'done', json, attempts, trace }
  if (head.outcome === 'drop') return { outcome: 'drop', code: head.code, attempts, trace }
  return { outcome: 'dead', code: head.code, message: head.message, attempts, trace }
}

const slicesOf = (bytes: Buffer): BatchSlice[] => {
  const slices: BatchSlice[] = []
  for (let header = readHeader(bytes, 0); header !== undefined; header = readHeader(bytes, header.end)) {
    const { start, end, baseOffset, lastOffset, count, maxTimestamp } = header
    slices.push({ start, end, baseOffset, lastOffset, records: count, maxTimestamp })
  }
  return slices
}

/** Reads every record of an audit once: the input marks what is data, outputs, dead letters and drops note fates. */
import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import { type ScanOptions, scan } from '../cluster/kafka/scan.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { DropRange } from '../cluster/protocol/drops.ts'
import { FateBook, MOST_NAMED } from './fate-book.ts'
import { FateHeaders } from './fate-headers.ts'
import type { FateLog, Ground, Sources } from './ground.ts'
import type { Recount } from './recount.ts'
import type { OutputMismatch } from './report.ts'

export interface ScanTally {
  readonly books: ReadonlyMap<number, FateBook>
  readonly order: { count: number; readonly named: string[] }
  /** Records of the topics of fates that name no offset of the input: somebody else's. */
  readonly unmarked: { count: number; readonly named: string[] }
  readonly unreadable: OutputMismatch[]
}

export interface ScanContext {
  readonly sources: Sources
  readonly ground: Ground
  readonly recount: Recount
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((done: number, total: number) => void) | undefined
}

interface Job {
  readonly topology: Topology
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly visit: (record: RecordCursor) => void
  readonly unreadable?: ScanOptions['unreadable']
}

/** Partitions read at once: one is on its way while another is counted. */
const AT_ONCE = 4

export const scanFates = async (context: ScanContext): Promise<ScanTally> => {
  const visits = new Visits(context)
  const jobs = visits.jobs().filter(({ from, to }) => to > from)
  const total = jobs.reduce((sum, { from, to }) => sum + to - from, 0)
  const queue = jobs.values()
  let done = 0
  const work = async () => {
    for (const job of queue) {
      await run(job, context.signal, (reached) => context.progress?.(done + reached - job.from, total))
      done += job.to - job.from
      context.progress?.(done, total)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return visits.tally
}

const TELL_EVERY = 10_000

const run = async (job: Job, signal: AbortSignal | undefined, reached: (offset: number) => void) => {
  if (signal?.aborted) return
  const { topology, topic, partition, from, to, visit, unreadable } = job
  let left = TELL_EVERY
  const counted = (record: RecordCursor) => {
    visit(record)
    if (--left > 0) return
    left = TELL_EVERY
    reached(record.offset)
  }
  await scan(topology, { topic, partition, from, to }, counted, {
    ...(signal && { signal }),
    ...(unreadable && { unreadable }),
  })
}

class Visits {
  readonly tally: ScanTally
  readonly #context: ScanContext
  readonly #books: Map<number, FateBook>
  readonly #headers: FateHeaders

  constructor(context: ScanContext) {
    const { ground, sources } = context
    this.#context = context
    this.#books = new Map([...ground.ranges].map(([partition, range]) => [partition, new FateBook(range)]))
    this.#headers = new FateHeaders(sources.names.input)
    this.tally = {
      books: this.#books,
      order: { count: 0, named: [] },
      unmarked: { count: 0, named: [] },
      unreadable: [],
    }
  }

  jobs(): readonly Job[] {
    const { outputs, letters, drops } = this.#context.ground
    return [
      ...this.#inputJobs(),
      ...(outputs === undefined
        ? []
        : this.#logJobs(outputs, (partition) => this.#output(outputs, partition))),
      ...this.#logJobs(letters, (partition) => (record) => this.#letter(letters, partition, record)),
      ...this.#logJobs(drops, (partition) => (record) => this.#drop(drops, partition, record)),
    ]
  }

  #inputJobs(): readonly Job[] {
    const { sources, ground } = this.#context
    return [...this.#books].map(([partition, book]) => {
      const { from, to } = book.range
      return {
        topology: sources.input,
        topic: sources.names.input,
        partition,
        from,
        to: Math.min(to, ground.inputEnds.get(partition) ?? to),
        visit: (record) => book.data(record.offset),
        // Whoever could not read it owes each of its offsets a fate all the same.
        unreadable: ({ baseOffset, lastOffset }) => {
          for (let offset = baseOffset; offset <= lastOffset; offset++) book.data(offset)
        },
      }
    })
  }

  #logJobs(log: FateLog, visitOf: (partition: number) => Job['visit']): readonly Job[] {
    const { home } = this.#context.sources
    return [...log.ends].map(([partition, to]) => ({
      topology: home,
      topic: log.topic,
      partition,
      from: log.starts.get(partition) ?? 0,
      to,
      visit: visitOf(partition),
    }))
  }

  #output({ topic, ends, horizon }: FateLog, partition: number): Job['visit'] {
    const { recount, ground } = this.#context
    const headers = this.#headers
    const last: number[] = []
    return (record) => {
      if (!headers.read(record)) return this.#unmarked(topic, partition, record)
      const { partition: origin, offset, late } = headers
      horizon.saw(partition, origin, offset)
      // What is repeated, foreign or newer than the position is not counted again, nor has it an order.
      if (!this.#bookOf(origin).note(offset, 'output', late.length > 0)) return
      const misplaced = ground.mapping === 'same' && origin % ends.size !== partition
      if (misplaced || offset < (last[origin] ?? 0)) note(this.tally.order, at(topic, partition, record))
      last[origin] = offset
      if (!recount.add(record, headers))
        this.tally.unreadable.push({ where: 'outputs', partition: origin, offset })
    }
  }

  #letter({ topic, horizon }: FateLog, partition: number, record: RecordCursor): void {
    const headers = this.#headers
    if (headers.read(record)) {
      horizon.saw(partition, headers.partition, headers.offset)
      this.#bookOf(headers.partition).note(headers.offset, 'dead')
    } else this.#unmarked(topic, partition, record)
  }

  #drop({ topic, horizon }: FateLog, slot: number, record: RecordCursor): void {
    const range = rangeOf(record)
    if (range !== undefined) {
      horizon.saw(slot, range.partition, range.from)
      this.#bookOf(range.partition).noteRange(range.from, range.to, 'drop')
    } else this.#unmarked(topic, slot, record)
  }

  #unmarked(topic: string, partition: number, record: RecordCursor): void {
    note(this.tally.unmarked, at(topic, partition, record))
  }

  /** Where there is no position, nothing is covered: every fate is foreign. */
  #bookOf(partition: number): FateBook {
    const book = this.#books.get(partition) ?? new FateBook({ first: 0, from: 0, to: 0, covered: 0 })
    this.#books.set(partition, book)
    return book
  }
}

const at = (topic: string, partition: number, { offset }: RecordCursor): string =>
  `${topic}/${partition}@${offset}`

const note = (into: { count: number; readonly named: string[] }, name: string): void => {
  into.count++
  if (into.named.length < MOST_NAMED) into.named.push(name)
}

const rangeOf = ({ bytes, valueStart, valueEnd }: RecordCursor): DropRange | undefined => {
  if (valueStart < 0) return undefined
  try {
    const range: unknown = JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
    return isRange(range) ? range : undefined
  } catch {
    return undefined
  }
}

const isRange = (value: unknown): value is DropRange => {
  if (typeof value !== 'object' || value === null) return false
  const { partition, from, to } = value as Partial<Record<keyof DropRange, unknown>>
  return [partition, from, to].every((number) => Number.isSafeInteger(number) && Number(number) >= 0)
}

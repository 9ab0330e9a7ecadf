/** What each record that an audit reads tells: which offsets hold data, which fate an offset has, what was counted. */
import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import type { ScanOptions } from '../cluster/kafka/scan.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import { BatchTally } from './batch-tally.ts'
import { DoneNotes, rangeOf } from './done-notes.ts'
import { FateBook, MOST_NAMED } from './fate-book.ts'
import { FateHeaders } from './fate-headers.ts'
import type { FateLog, Ground, Sources, TopicConfigs } from './ground.ts'
import type { OutputMismatch } from './mismatch.ts'
import { objectOf, type Recount } from './recount.ts'

export interface ScanTally {
  readonly books: ReadonlyMap<number, FateBook>
  readonly order: { count: number; readonly named: string[] }
  /** Records of the topics of fates that name no offset of the input: somebody else's. */
  readonly unmarked: { count: number; readonly named: string[] }
  readonly unreadable: OutputMismatch[]
  /** What the drops topic tells of done records. */
  readonly doneNotes: DoneNotes
  /** Insights by count. */
  readonly batches: BatchTally
}

export interface VisitContext {
  readonly sources: Sources
  readonly ground: Ground
  readonly recount: Recount
  /** Under which the pipeline runs. */
  readonly name: string
}

export interface Job {
  readonly topology: Topology
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly visit: (record: RecordCursor) => void
  readonly unreadable?: ScanOptions['unreadable']
}

export class Visits {
  readonly tally: ScanTally
  readonly #context: VisitContext
  readonly #books: Map<number, FateBook>
  readonly #headers: FateHeaders

  constructor(context: VisitContext) {
    const { ground, sources, name } = context
    this.#context = context
    this.#books = new Map([...ground.ranges].map(([partition, range]) => [partition, new FateBook(range)]))
    this.#headers = new FateHeaders(sources.names.input)
    this.tally = {
      books: this.#books,
      order: { count: 0, named: [] },
      unmarked: { count: 0, named: [] },
      unreadable: [],
      doneNotes: new DoneNotes(),
      batches: new BatchTally(name, !hasOwnTime(ground.configs.insights)),
    }
  }

  jobs(): readonly Job[] {
    const { outputs, letters, drops, insights } = this.#context.ground
    const { batches } = this.tally
    return [
      ...this.#inputJobs(),
      ...(outputs === undefined
        ? []
        : this.#logJobs(outputs, (partition) => this.#output(outputs, partition))),
      ...this.#logJobs(letters, (partition) => (record) => this.#letter(letters, partition, record)),
      ...this.#logJobs(drops, (partition) => (record) => this.#drop(drops, partition, record)),
      ...(insights === undefined
        ? []
        : this.#logJobs(insights.log, (partition) => (record) => batches.take(partition, record))),
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
      const { partition: origin, offset, late, retried } = headers
      if (!retried) horizon.saw(partition, origin, offset)
      // What is repeated, foreign or newer than the position is not counted again, nor has it an order.
      if (!this.#bookOf(origin).note(offset, 'output', late.length > 0)) return
      const misplaced = ground.mapping === 'same' && origin % ends.size !== partition
      if (misplaced || (!retried && offset < (last[origin] ?? 0)))
        note(this.tally.order, at(topic, partition, record))
      if (!retried) last[origin] = offset
      if (!recount.countsDone) return
      const value = objectOf(record)
      if (value !== undefined) recount.done(value, headers.originalTimestamp ?? record.timestamp, headers)
      else this.tally.unreadable.push({ where: 'outputs', partition: origin, offset })
    }
  }

  #letter({ topic, horizon }: FateLog, partition: number, record: RecordCursor): void {
    const headers = this.#headers
    if (!headers.read(record)) {
      this.#unmarked(topic, partition, record)
      return
    }
    if (!headers.retried) horizon.saw(partition, headers.partition, headers.offset)
    const isFirst = this.#bookOf(headers.partition).note(headers.offset, 'dead')
    if (isFirst) this.#context.recount.dead(headers.errorCode, headers)
  }

  #drop({ topic, horizon }: FateLog, slot: number, record: RecordCursor): void {
    const range = rangeOf(record)
    if (range !== undefined) {
      const { partition, from, to, fate, late = [], attempts = 1 } = range
      if (attempts === 1) horizon.saw(slot, partition, from)
      const isDone = fate === 'done'
      this.#bookOf(partition).noteRange(from, to, isDone ? 'output' : 'drop', isDone && late.length > 0)
      if (isDone) this.tally.doneNotes.take(range)
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

/** False too where it may not be asked. */
const hasOwnTime = (configs: TopicConfigs): boolean =>
  configs !== undefined && configs['message.timestamp.type'] !== 'LogAppendTime'

const at = (topic: string, partition: number, { offset }: RecordCursor): string =>
  `${topic}/${partition}@${offset}`

const note = (into: { count: number; readonly named: string[] }, name: string): void => {
  into.count++
  if (into.named.length < MOST_NAMED) into.named.push(name)
}

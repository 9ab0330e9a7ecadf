/**
 * How records get into the input together with what is known of them. Where input and home are one cluster, records and marks are
 * one transaction. Over two clusters there is none: first the intents, then the records (a transaction of the input's cluster, so
 * that a fenced sender's never appear), then the marks; whoever comes later finds by `millrace-replay-of` what was sent.
 */
import { encodeBatch } from '../cluster/kafka/codec/records.ts'
import type { Opened, Part, TransactResult, Writer } from '../cluster/kafka/ports.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { Outgoing } from './outgoing.ts'

/** Null takes back what was said under that key. */
export interface Entry {
  readonly key: string
  readonly value: object | null
}

export interface Side {
  readonly topology: Topology
  readonly writer: Writer
}

export interface TransportOptions {
  readonly home: Side
  /** Absent where the input is in the home cluster. */
  readonly input?: Side
  readonly inputTopic: string
  readonly marksTopic: string
}

export type Sent =
  | Exclude<TransactResult, { readonly result: 'committed' }>
  | { readonly result: 'committed' }

/** Entries of a chunk: `from` is where in its partition a record may come to stand; absent where that is not needed. */
export type EntriesOf = (state: 'sending' | 'done', from?: ReadonlyMap<number, number>) => readonly Entry[]

export class Transport {
  readonly #options: TransportOptions

  constructor(options: TransportOptions) {
    this.#options = options
  }

  /** `fence` ends every earlier sender, `reopen` goes on as the same one. */
  async open(how: 'fence' | 'reopen'): Promise<Opened> {
    const { home, input } = this.#options
    const opened = await home.writer[how]()
    return opened.result !== 'open' || input === undefined ? opened : input.writer[how]()
  }

  async mark(entries: readonly Entry[]): Promise<Sent> {
    return this.#options.home.writer.transact([this.#marks(entries)])
  }

  async send(chunk: readonly Outgoing[], entriesOf: EntriesOf): Promise<Sent> {
    const { home, input } = this.#options
    const records = this.#records(chunk)
    if (input === undefined) return home.writer.transact([...records, this.#marks(entriesOf('done'))])
    const partitions = records.map(({ partition }) => partition)
    const from = await input.topology.written(this.#options.inputTopic, partitions)
    const intended = await this.mark(entriesOf('sending', from))
    if (intended.result !== 'committed') return intended
    const sent = await input.writer.transact(records)
    return sent.result === 'committed' ? this.mark(entriesOf('done', from)) : sent
  }

  #records(chunk: readonly Outgoing[]): readonly Part[] {
    return [...Map.groupBy(chunk, ({ partition }) => partition)].flatMap(([partition, outgoing]) => {
      const batch = encodeBatch(outgoing.map(({ record }) => record))
      const topic = this.#options.inputTopic
      return batch === undefined ? [] : [{ topic, partition, bytes: batch.bytes, records: batch.count }]
    })
  }

  #marks(entries: readonly Entry[]): Part {
    const timestamp = Date.now()
    const batch = encodeBatch(
      entries.map(({ key, value }) => ({ timestamp, key, value: value && JSON.stringify(value) })),
    )
    if (batch === undefined) throw new Error('an empty batch of marks')
    return { topic: this.#options.marksTopic, partition: 0, bytes: batch.bytes, records: batch.count }
  }
}

/**
 * The batches of insights by count that the `insights` topic holds of one pipeline. A batch says several messages, all in
 * one transaction: they stand together in one partition, under one name, with the time of their commit. Whatever comes
 * under the same name otherwise is the batch once more. Pure.
 */
import { type HeaderSpan, readHeaders } from '../cluster/kafka/codec/decode.ts'
import { type BatchName, HEADER, parseBatch } from '../cluster/protocol/headers.ts'

export interface SaidBatch {
  readonly records: number
  /** How often it was published. */
  readonly times: number
}

interface Said extends SaidBatch {
  readonly timestamp: number
}

interface Message extends HeaderSpan {
  readonly timestamp: number
}

export class BatchTally {
  readonly #pipeline: string
  readonly #stamped: boolean
  /** Slot -> number of the batch. */
  readonly #said = new Map<number, Map<number, Said>>()
  /** `partition/slot` -> number of the batch of which the last message was. */
  readonly #last = new Map<string, number>()

  /** @param stamped the broker sets the time of messages: it is not that of the commit */
  constructor(pipeline: string, stamped: boolean) {
    this.#pipeline = pipeline
    this.#stamped = stamped
  }

  /** In the order of each partition. Messages of others are passed over: pipelines may share the topic. */
  take(partition: number, message: Message): void {
    const name = this.#nameOf(message)
    if (name === undefined) return
    const { slot, number, records } = name
    const batches = this.#said.get(slot) ?? new Map<number, Said>()
    this.#said.set(slot, batches)
    const { timestamp } = message
    const before = batches.get(number)
    const goes = before !== undefined && this.#isSame(before, partition, message, name)
    if (!goes) batches.set(number, { records, times: (before?.times ?? 0) + 1, timestamp })
    this.#last.set(`${partition}/${slot}`, number)
  }

  slots(): readonly number[] {
    return [...this.#said.keys()]
  }

  /** By number. */
  batches(slot: number): ReadonlyMap<number, SaidBatch> {
    return this.#said.get(slot) ?? new Map()
  }

  #nameOf(message: Message): BatchName | undefined {
    let [mine, name]: [boolean, BatchName | undefined] = [false, undefined]
    for (const [header, value] of readHeaders(message)) {
      if (header === HEADER.pipeline) mine = value?.toString() === this.#pipeline
      else if (header === HEADER.batch) name = parseBatch(value?.toString() ?? '')
    }
    return mine ? name : undefined
  }

  #isSame(before: Said, partition: number, { timestamp }: Message, { slot, number, records }: BatchName) {
    const together = this.#last.get(`${partition}/${slot}`) === number
    return together && before.records === records && (this.#stamped || before.timestamp === timestamp)
  }
}

/** What the conformance suite of Reader and Writer asks of a Kafka, be it real or the fake. */
import type { Part, Reader, Writer } from '../../cluster/kafka/ports.ts'

/** The requests of a transaction, in their order; `fetch` is the reader's. */
export type Step = 'init' | 'add' | 'produce' | 'end' | 'fetch'

export interface Held {
  /** Resolves when the broker has done the work and the reply is held back. */
  readonly held: Promise<unknown>
  release(): void
}

export interface TopicOptions {
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
}

export interface WriterChoice {
  readonly transactionTimeout?: number
  readonly requestTimeout?: number
  readonly mayFence?: () => boolean
}

/** A producer without the writer's manners: it leaves transactions open, and ends them when told. */
export interface OpenTransaction {
  /**
   * @param added the partitions belong to the transaction already: nobody but their leaders is asked
   * @returns base offsets
   */
  produce(parts: readonly Part[], added?: boolean): Promise<number[]>
  /** The broker's code. */
  end(how: 'commit' | 'abort'): Promise<number>
}

export interface World {
  makeTopic(topic: string, options?: TopicOptions): Promise<void>
  deleteTopic(topic: string): Promise<void>
  deleteRecords(topic: string, partition: number, before: number): Promise<void>
  /** End of the log, once all that was written is committed or aborted. */
  decidedEnd(topic: string, partition: number): Promise<number>
  writer(transactionalId: string, choice?: WriterChoice): Promise<Writer>
  reader(topic: string): Promise<Reader>
  begin(transactionalId: string): Promise<OpenTransaction>
  /** Requests of that kind so far. */
  seen(step: Step): number
  /** The reply to the next request of that kind is lost, its work done; resolves when it is. */
  loseReply(step: Step): Promise<void>
  holdReply(step: Step): Held
  /** The broker stops in the middle of whatever it does, its sockets open; later it goes on as if nothing had been. Resolves when it stands. */
  freeze(): Promise<void>
  thaw(): void
  close(): Promise<void>
}

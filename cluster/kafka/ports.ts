/**
 * The two ports of the data path. Real Kafka and the in-memory fake of the tests pass one suite (test/ports/).
 * Offsets are numbers: Kafka's stay below 2^53.
 */

/** A record batch inside `Chunk.bytes`. */
export interface BatchSlice {
  readonly start: number
  readonly end: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly records: number
  /** Epoch ms of its newest record. */
  readonly maxTimestamp: number
}

/** What one fetch brought for one partition: committed data batches only (control and aborted ones are already left out). */
export interface Chunk {
  readonly partition: number
  /** Position the fetch asked for; records of the first batch below it belong to an earlier chunk. */
  readonly from: number
  /** Position after this chunk: also past control and aborted batches. */
  readonly next: number
  readonly bytes: Buffer
  readonly batches: readonly BatchSlice[]
  readonly records: number
  readonly leaderEpoch: number
  /** End of what a read_committed reader can see. */
  readonly lastStableOffset: number
  /** Called once where nobody reads `bytes` again; without it their memory waits for the collector. */
  readonly release?: () => void
}

/** Why a partition cannot be read on; a shard halts with it by name. */
export type ReadFault = {
  readonly fault: 'position-gap' | 'topic-recreated' | 'topic-missing' | 'topic-mismatch' | 'kafka-auth'
  readonly detail: string
}

export interface ReadSink {
  /** False leaves the partition out of the next fetch. */
  readonly wants: () => boolean
  readonly chunk: (chunk: Chunk) => void
  readonly fault: (fault: ReadFault) => void
}

/** Law: chunks of a partition arrive in offset order, each `from` equal to the previous `next`; after `close()` none arrives. */
export interface Reader {
  open(partition: number, offset: number, sink: ReadSink): void
  /** The sink wants again: do not wait for the next round. */
  wake(): void
  close(partition: number): void
  stop(): Promise<void>
}

/** One produced batch: encoded, unstamped. The writer stamps producer id, epoch, sequence and CRC in place. */
export interface Part {
  readonly topic: string
  readonly partition: number
  readonly bytes: Uint8Array
  readonly records: number
}

export type TransactResult =
  /** `offsets[i]` is the base offset of part i. */
  | { readonly result: 'committed'; readonly offsets: readonly number[]; readonly concurrentRetries: number }
  /** Part i can never be written as it is (too large, timestamp, no key); nothing of the transaction is. */
  | {
      readonly result: 'refused'
      readonly part: number
      readonly code: number
      readonly detail: string /** Indices of the guilty records in the part, where the broker names them. */
      readonly recordIndexes: readonly number[]
    }
  /** A newer owner of the transactional id exists. Nothing may be written any more. */
  | { readonly result: 'fenced'; readonly code: number }
  /** Committed or not: unknown. The caller reopens and restores. */
  | { readonly result: 'unclear'; readonly reason: string }
  /** The shard can never write (authorisation, topic gone). */
  | { readonly result: 'halted'; readonly code: number; readonly detail: string }

/** What opening a writer came to. */
export type Opened =
  | { readonly result: 'open' }
  | Extract<TransactResult, { readonly result: 'fenced' | 'unclear' | 'halted' }>

/**
 * The only writer under one transactional id.
 * Law: one transaction at a time; an effect is visible to read_committed readers either whole or never;
 * after `fence()` of a later writer, no effect of this one appears.
 */
export interface Writer {
  /** Aborts what a predecessor left open and fences it for ever. */
  fence(): Promise<Opened>
  /** After `unclear` or `refused`: goes on under the OWN producer id and epoch, so a zombie harms nobody. Aborts what is open. */
  reopen(): Promise<Opened>
  transact(parts: readonly Part[]): Promise<TransactResult>
  close(): Promise<void>
}

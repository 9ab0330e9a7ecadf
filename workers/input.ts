/**
 * The shard's side of its input: which partitions are read and from where, what the mailbox takes, why nothing is wanted.
 * Lives inside the shard's actor. A partition that is paused by order is closed: what no thread has begun of it is thrown away
 * and read again later, so that it takes no room from the others.
 */
import type { Chunk, Reader, ReadFault } from '../cluster/kafka/ports.ts'
import type { PauseReason } from '../cluster/measures.ts'
import type { Position } from '../cluster/protocol/state.ts'
import { Mailbox } from './mailbox.ts'
import { Pauses } from './pauses.ts'
import type { SlotContext } from './slot.ts'

export interface InputParts {
  readonly context: SlotContext
  readonly reader: Reader
  /** Committed. */
  readonly positions: () => ReadonlyMap<number, Position>
  /** So many are parked that no more input may be read. */
  readonly isCapped: () => boolean
}

export interface InputSink {
  readonly chunk: (chunk: Chunk) => void
  readonly fault: (fault: ReadFault) => void
}

export class Input {
  readonly mailbox: Mailbox
  readonly #parts: InputParts
  readonly #pauses = new Pauses()
  readonly #ends = new Map<number, number>()
  readonly #open = new Set<number>()
  #sink: InputSink | undefined
  #paused: ReadonlySet<number> = new Set()

  constructor(parts: InputParts) {
    const { settings, budget } = parts.context
    const { mailboxRecords: records, mailboxBytes: bytes, batchesAhead: ahead } = settings
    this.mailbox = new Mailbox({ records, bytes, ahead, ...(budget && { budget }) })
    this.#parts = parts
  }

  /** Last stable offset of each partition, as far as it is known. */
  get ends(): ReadonlyMap<number, number> {
    return this.#ends
  }
  /** Partitions that are not read, by order. */
  get paused(): ReadonlySet<number> {
    return this.#paused
  }

  /** @param ends of any partitions: lag grows also where nothing is read */
  learn(ends: ReadonlyMap<number, number>): void {
    for (const partition of this.#parts.positions().keys()) {
      const end = ends.get(partition)
      if (end !== undefined) this.#ends.set(partition, Math.max(end, this.#ends.get(partition) ?? 0))
    }
  }

  /** A takeover has taken in some that others only hear of now. */
  lacks(partitions: readonly number[]): boolean {
    return partitions.some((partition) => !this.#parts.positions().has(partition))
  }

  /**
   * Reads every partition of the slot that is not paused; none where the topic is another than that of a position: the reader
   * asks for the one that is known now, and it may have been deleted and made again.
   */
  open(sink: InputSink): void {
    const { input, names } = this.#parts.context
    const present = input.knownTopic(names.input)?.topicId
    const positions = this.#parts.positions()
    const other = [...positions.values()].find(({ topicId }) => topicId !== (present ?? topicId))
    if (other !== undefined) {
      const detail = `${names.input} was made again (was ${other.topicId}, is ${present})`
      sink.fault({ fault: 'topic-recreated', detail })
      return
    }
    this.#sink = sink
    for (const partition of positions.keys()) this.#read(partition)
  }

  /** @param paused exactly these are not read from now on */
  pause(paused: ReadonlySet<number>): void {
    this.#paused = paused
    if (this.#sink === undefined) return
    for (const partition of this.#parts.positions().keys()) {
      if (!paused.has(partition)) this.#read(partition)
      else if (this.#open.delete(partition)) {
        this.#parts.reader.close(partition)
        this.mailbox.dropWaiting(partition)
      }
    }
  }

  #read(partition: number): void {
    const sink = this.#sink
    if (sink === undefined || this.#open.has(partition) || this.#paused.has(partition)) return
    this.#open.add(partition)
    const wants = () => this.#wants()
    this.#parts.reader.open(partition, this.#nextOf(partition), { ...sink, wants })
  }

  #nextOf(partition: number): number {
    return this.mailbox.endOf(partition) ?? this.#parts.positions().get(partition)?.next ?? 0
  }

  #wants(): boolean {
    const reason = this.#parts.isCapped() ? 'parked' : this.mailbox.full ? 'mailbox' : undefined
    this.#pauses.look(reason, performance.now())
    return reason === undefined
  }

  /** False where it does not follow what is here: it was on its way when its partition was paused. */
  take(chunk: Chunk): boolean {
    if (!this.#open.has(chunk.partition) || chunk.from !== this.#nextOf(chunk.partition)) return false
    this.#ends.set(chunk.partition, chunk.lastStableOffset)
    this.mailbox.push(chunk)
    return true
  }

  close(): void {
    this.#pauses.look(undefined, performance.now())
    for (const partition of this.#open) this.#parts.reader.close(partition)
    this.#open.clear()
    this.#sink = undefined
  }

  /** ms in all that nothing was wanted, by reason. */
  pausedMs(): Readonly<Record<PauseReason, number>> {
    return this.#pauses.totals(performance.now())
  }
}

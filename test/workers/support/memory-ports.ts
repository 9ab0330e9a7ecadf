/** The two ports on a MemoryKafka. */
import type {
  Chunk,
  Opened,
  Part,
  Reader,
  ReadFault,
  ReadSink,
  TransactResult,
  Writer,
} from '../../../cluster/kafka/ports.ts'
import { chunkOf } from './batches.ts'
import type { MemoryKafka } from './memory-kafka.ts'

/** Fencing of one transactional id: the epoch that may write. */
export class Epochs {
  current = 0
}

/** How a transaction ends; `commit` does what a broker would and says so. */
export type Script = (
  parts: readonly Part[],
  commit: () => TransactResult,
) => TransactResult | Promise<TransactResult>

export class MemoryWriter implements Writer {
  /** What a real writer forbids, in words; empty at the end of every test. */
  readonly broken: string[] = []
  /** Of the next transactions, in order; where none is left they commit. */
  readonly scripts: Script[] = []
  /** Of the next opens. */
  readonly opens: (() => Opened | Promise<Opened>)[] = []
  /** Committed transactions. */
  readonly committed: (readonly Part[])[] = []
  closed = false
  underWay = 0
  readonly #kafka: MemoryKafka
  readonly #epochs: Epochs
  #own = 0
  #usable = false

  constructor(kafka: MemoryKafka, epochs = new Epochs()) {
    this.#kafka = kafka
    this.#epochs = epochs
  }

  fence(): Promise<Opened> {
    return this.#open('fence')
  }
  reopen(): Promise<Opened> {
    return this.#open('reopen')
  }

  async #open(how: 'fence' | 'reopen'): Promise<Opened> {
    if (this.underWay > 0) this.broken.push(`${how} beside a transaction`)
    if (this.closed) this.broken.push(`${how} after close`)
    this.#usable = false
    const scripted = await this.opens.shift()?.()
    if (scripted !== undefined && scripted.result !== 'open') return scripted
    if (how === 'reopen' && this.#own > 0 && this.#own !== this.#epochs.current)
      return { result: 'fenced', code: 90 }
    this.#own = ++this.#epochs.current
    this.#usable = true
    return { result: 'open' }
  }

  async transact(parts: readonly Part[]): Promise<TransactResult> {
    if (this.underWay > 0) this.broken.push('two transactions at once')
    if (!this.#usable) {
      this.broken.push('a transaction on a writer that is not open')
      throw new Error('the writer is not open')
    }
    if (this.closed) this.broken.push('a transaction after close')
    this.underWay++
    try {
      const commit = () => this.#commit(parts)
      const result = (await this.scripts.shift()?.(parts, commit)) ?? commit()
      this.#usable = result.result === 'committed'
      return result
    } finally {
      this.underWay--
    }
  }

  #commit(parts: readonly Part[]): TransactResult {
    if (this.#own !== this.#epochs.current) return { result: 'fenced', code: 47 }
    if (this.closed) this.broken.push('a commit after close')
    this.committed.push(parts)
    const offsets = parts.map(({ topic, partition, bytes }) => this.#kafka.append(topic, partition, bytes))
    return { result: 'committed', offsets, concurrentRetries: 0 }
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

export class MemoryReader implements Reader {
  readonly #kafka: MemoryKafka
  readonly #topic: string
  readonly #open = new Map<number, { sink: ReadSink; offset: number }>()
  readonly #forget: () => void
  #due = false

  constructor(kafka: MemoryKafka, topic: string) {
    this.#kafka = kafka
    this.#topic = topic
    this.#forget = kafka.onAppend(() => this.wake())
  }
  get reading(): number[] {
    return [...this.#open.keys()]
  }
  open(partition: number, offset: number, sink: ReadSink): void {
    this.#open.set(partition, { sink, offset })
    this.wake()
  }
  close(partition: number): void {
    this.#open.delete(partition)
  }
  async stop(): Promise<void> {
    this.#open.clear()
    this.#forget()
  }
  fail(partition: number, fault: ReadFault): void {
    const open = this.#open.get(partition)
    this.#open.delete(partition)
    open?.sink.fault(fault)
  }
  /** A chunk that no log holds. */
  give(chunk: Chunk): void {
    const open = this.#open.get(chunk.partition)
    if (open !== undefined) open.offset = chunk.next
    open?.sink.chunk(chunk)
  }
  /** One batch a fetch. */
  wake(): void {
    if (this.#due) return
    this.#due = true
    setImmediate(() => {
      this.#due = false
      for (const [partition, open] of this.#open) this.#deliver(partition, open)
    })
  }
  #deliver(partition: number, open: { sink: ReadSink; offset: number }): void {
    const [batch] = this.#kafka.from(this.#topic, partition, open.offset)
    if (batch === undefined || !open.sink.wants()) return
    const chunk = chunkOf(partition, open.offset, batch)
    open.offset = chunk.next
    open.sink.chunk({ ...chunk, lastStableOffset: this.#kafka.log(this.#topic, partition).end })
    this.wake()
  }
}

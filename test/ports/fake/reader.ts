/** The Reader port on the fake: one loop for all partitions, in virtual time; what is visible is decided by the production filter. */
import { sleep } from '../../../cluster/actor/clock.ts'
import { CODE, isLeaderMoved } from '../../../cluster/kafka/codes.ts'
import { visibleBatches } from '../../../cluster/kafka/filter.ts'
import type { Reader, ReadFault, ReadSink } from '../../../cluster/kafka/ports.ts'
import type { FetchedPartition } from '../../../cluster/kafka/requests/fetch.ts'
import type { FakeKafka } from './kafka.ts'

interface Open {
  readonly partition: number
  readonly sink: ReadSink
  readonly topicId: string
  offset: number
  leader: number
}

const FETCH_BYTES = 2 ** 20
const FETCH_WAIT_MS = 100
const FETCH_TIMEOUT_MS = 5000
const AGAIN_MS = 20
const GONE_AFTER_MS = 5000

export class FakeReader implements Reader {
  readonly #kafka: FakeKafka
  readonly #topic: string
  readonly #open = new Map<number, Open>()
  #running: Promise<void> | undefined
  #stopped = false
  #goneSince: number | undefined

  constructor(kafka: FakeKafka, topic: string) {
    this.#kafka = kafka
    this.#topic = topic
  }

  open(partition: number, offset: number, sink: ReadSink): void {
    const found = this.#kafka.topic(this.#topic)
    if (found === undefined) throw new Error(`there is no ${this.#topic}`)
    const leader = found.logs[partition]?.leader ?? -1
    this.#open.set(partition, { partition, offset, sink, leader, topicId: found.topicId })
    this.#running ??= this.#run()
    this.wake()
  }
  wake(): void {
    this.#kafka.signal.emit('more')
  }
  close(partition: number): void {
    this.#open.delete(partition)
  }
  async stop(): Promise<void> {
    this.#stopped = true
    this.#open.clear()
    this.wake()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const wanted = [...this.#open.values()].filter(({ sink }) => sink.wants())
      const asked = new Map(wanted.map((open) => [open, open.offset]))
      const request = wanted.map((open) => ({ ...open, leaderEpoch: -1, maxBytes: FETCH_BYTES }))
      const reply =
        wanted.length === 0
          ? { partitions: [] }
          : await this.#kafka.faults.call(
              'fetch',
              FETCH_TIMEOUT_MS,
              () => this.#kafka.fetch(request),
              (code) => ({ code, partitions: [] }),
            )
      const moved = reply?.partitions.filter((fetched) => this.#take(fetched, asked)) ?? []
      if (moved.length === 0 && !this.#stopped)
        await this.#more(reply === undefined ? AGAIN_MS : FETCH_WAIT_MS)
    }
  }

  /** The next news, or so many ms. */
  async #more(ms: number): Promise<void> {
    const news = new AbortController()
    const tell = () => news.abort()
    this.#kafka.signal.once('more', tell)
    await sleep(this.#kafka.clock, ms, news.signal)
    this.#kafka.signal.off('more', tell)
  }

  /** True where the position moved. */
  #take(fetched: FetchedPartition, asked: ReadonlyMap<Open, number>): boolean {
    const open = this.#open.get(fetched.partition)
    if (open === undefined || asked.get(open) !== open.offset) return false
    if (fetched.code === CODE.none) return this.#deliver(open, fetched)
    const fault = this.#faultOf(open, fetched)
    if (fault === undefined) {
      open.leader = this.#kafka.topic(this.#topic)?.logs[open.partition]?.leader ?? -1
      return false
    }
    this.#open.delete(open.partition)
    open.sink.fault(fault)
    return false
  }

  #deliver(open: Open, fetched: FetchedPartition): boolean {
    this.#goneSince = undefined
    const from = open.offset
    const { batches, records, next, leaderEpoch } = visibleBatches(fetched.records, from, fetched.aborted)
    if (next === from) return false
    open.offset = next
    const { partition, records: bytes, lastStableOffset } = fetched
    open.sink.chunk({ partition, from, next, bytes, batches, records, leaderEpoch, lastStableOffset })
    return true
  }

  #faultOf(open: Open, { code, logStartOffset }: FetchedPartition): ReadFault | undefined {
    if (isLeaderMoved(code)) return undefined
    if (code === CODE.offsetOutOfRange)
      return { fault: 'position-gap', detail: `position ${open.offset}, log start ${logStartOffset}` }
    const known = this.#kafka.topic(this.#topic)
    if (known !== undefined) return { fault: 'topic-recreated', detail: this.#topic }
    this.#goneSince ??= this.#kafka.clock.now()
    if (this.#kafka.clock.now() - this.#goneSince < GONE_AFTER_MS) return undefined
    return { fault: 'topic-missing', detail: this.#topic }
  }
}

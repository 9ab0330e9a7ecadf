/**
 * The Reader port on real Kafka. One loop a leader, one fetch in flight: owning a partition is fetching it, pausing is
 * leaving it out. Every error code has a named reaction; an offset that is out of range is a named gap, never a jump.
 */
import { EventEmitter, once } from 'node:events'
import { messageOf } from '../errors.ts'
import type { EventBus } from '../events.ts'
import { CodecError } from './codec/error.ts'
import { CODE, codeName, isForbidden, isLeaderMoved, isTopicUnknown } from './codes.ts'
import { pause } from './failures.ts'
import { visibleBatches } from './filter.ts'
import { Shared } from './free.ts'
import type { Reader, ReadFault, ReadSink } from './ports.ts'
import { type FetchedPartition, type FetchPartition, fetchRequest } from './requests/fetch.ts'
import type { Topology } from './topology.ts'

export interface ReaderOptions {
  readonly topic: string
  /** Bytes of one partition in one fetch. */
  readonly fetchBytes: number
  /** ms the broker may wait for new records while every open partition is wanted. */
  readonly fetchWait: number
}

interface Open {
  readonly partition: number
  readonly sink: ReadSink
  readonly topicId: string
  offset: number
}

/** While some partition is full, a long wait for the others would hold it back once it has room again. */
const SHORT_WAIT_MS = 5
const RETRY_MS = 100
const STOP_PATIENCE_MS = 1000
/** The loop of the partitions that no broker leads at the moment. */
const NOBODY = -1
/** A topic unknown to every broker for so long is gone. */
const GONE_AFTER_MS = 5000

export class KafkaReader implements Reader {
  readonly #topology: Topology
  readonly #options: ReaderOptions
  readonly #events: EventBus
  readonly #open = new Map<number, Open>()
  readonly #loops = new Map<number, Promise<void>>()
  readonly #signal = new EventEmitter().setMaxListeners(0)
  readonly #stop = new AbortController()
  #unknownSince: number | undefined

  constructor(topology: Topology, options: ReaderOptions, events: EventBus) {
    this.#topology = topology
    this.#options = options
    this.#events = events
  }

  open(partition: number, offset: number, sink: ReadSink): void {
    const topicId = this.#topology.knownTopic(this.#options.topic)?.topicId
    if (topicId === undefined)
      throw new Error(`metadata of ${this.#options.topic} must be known before a partition is opened`)
    this.#open.set(partition, { partition, sink, topicId, offset })
    this.#startLoops()
    this.wake()
  }

  wake(): void {
    this.#signal.emit('wake')
  }

  close(partition: number): void {
    this.#open.delete(partition)
  }

  async stop(): Promise<void> {
    this.#open.clear()
    this.#stop.abort()
    this.wake()
    // A broker that stands still is not waited for; what it says later is nobody's.
    await Promise.race([Promise.all(this.#loops.values()), pause(this.#options.fetchWait + STOP_PATIENCE_MS)])
  }

  #startLoops(): void {
    for (const { partition } of this.#open.values()) {
      const leader = this.#leaderOf(partition)
      if (!this.#loops.has(leader)) this.#loops.set(leader, this.#follow(leader))
    }
  }

  #leaderOf(partition: number): number {
    return this.#topology.known(this.#options.topic, partition)?.leader ?? NOBODY
  }

  /** Ends when it leads nothing of ours any more; a change of leaders starts the others. */
  async #follow(leader: number): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const mine = [...this.#open.values()].filter((open) => this.#leaderOf(open.partition) === leader)
      if (mine.length === 0) break
      const wanted = mine.filter((open) => open.sink.wants())
      if (leader === NOBODY) await this.#search(mine)
      else if (wanted.length === 0) await once(this.#signal, 'wake')
      else await this.#fetch(leader, rotated(wanted, turn), wanted.length === mine.length)
    }
    // In the same turn as the decision to end, so that whoever opens next starts a new one.
    this.#loops.delete(leader)
  }

  /** The topic is gone, or a leader is being elected. */
  async #search(orphans: readonly Open[]): Promise<void> {
    const known = this.#topology.knownTopic(this.#options.topic)
    for (const open of orphans) {
      const where = `${this.#options.topic}/${open.partition}`
      const fault = known?.topicId === open.topicId ? undefined : this.#unknownTopic(open, where)
      if (fault === undefined)
        this.#events.emit('waiting', { for: 'kafka', detail: `${where}: no broker leads it` })
      else this.#fail(open, fault)
    }
    await this.#relearn()
  }

  #fail(open: Open, fault: ReadFault): void {
    this.#open.delete(open.partition)
    open.sink.fault(fault)
  }

  async #fetch(leader: number, wanted: readonly Open[], allWanted: boolean): Promise<void> {
    const { fetchBytes, fetchWait } = this.#options
    const limits = {
      maxWait: allWanted ? fetchWait : Math.min(fetchWait, SHORT_WAIT_MS),
      maxBytes: fetchBytes * Math.min(wanted.length, 4),
    }
    // A partition closed and opened again meanwhile, at another offset, must not take this reply for its own.
    const asked = new Map(wanted.map((open) => [open, open.offset]))
    const request = fetchRequest(
      wanted.map((open) => this.#target(open)),
      limits,
    )
    try {
      const reply = await this.#topology.connections.call(leader, request)
      if (reply.code !== CODE.none) throw new Error(`fetch refused: ${codeName(reply.code)}`)
      const shared = new Shared(reply.partitions[0]?.records)
      let stale = false
      for (const fetched of reply.partitions) stale = this.#take(fetched, asked, shared) || stale
      shared.release()
      if (stale) await this.#relearn()
      else this.#unknownSince = undefined
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#events.emit('waiting', {
        for: 'kafka',
        detail: messageOf(error),
      })
      await this.#relearn()
    }
  }

  #target(open: Open): FetchPartition {
    const leaderEpoch = this.#topology.known(this.#options.topic, open.partition)?.leaderEpoch ?? -1
    return {
      topicId: open.topicId,
      partition: open.partition,
      leaderEpoch,
      offset: open.offset,
      maxBytes: this.#options.fetchBytes,
    }
  }

  /** True where metadata is stale. */
  #take(fetched: FetchedPartition, asked: ReadonlyMap<Open, number>, shared: Shared): boolean {
    const open = this.#open.get(fetched.partition)
    if (open === undefined || asked.get(open) !== open.offset) return false
    if (fetched.code === CODE.none) {
      this.#deliverOrFail(open, fetched, shared)
      return false
    }
    const fault = this.#faultOf(open, fetched)
    if (fault === undefined) return true
    this.#fail(open, fault)
    return false
  }

  /** Bytes that are no record batch of the present format stop the partition by name: asking again would bring the same. */
  #deliverOrFail(open: Open, fetched: FetchedPartition, shared: Shared): void {
    try {
      this.#deliver(open, fetched, shared)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      const detail = `${this.#options.topic}/${open.partition} from ${open.offset}: ${error.message}`
      this.#fail(open, { fault: 'topic-mismatch', detail })
    }
  }

  #deliver(open: Open, fetched: FetchedPartition, shared: Shared): void {
    const from = open.offset
    const { batches, records, next, leaderEpoch } = visibleBatches(fetched.records, from, fetched.aborted)
    if (next === from) return
    open.offset = next
    const { partition, records: bytes, lastStableOffset } = fetched
    const release = shared.hold()
    open.sink.chunk({
      partition,
      from,
      next,
      bytes,
      batches,
      records,
      leaderEpoch,
      lastStableOffset,
      release,
    })
  }

  /** Undefined where asking again may help. */
  #faultOf(open: Open, fetched: FetchedPartition): ReadFault | undefined {
    const where = `${this.#options.topic}/${open.partition}`
    if (fetched.code === CODE.offsetOutOfRange)
      return {
        fault: 'position-gap',
        detail: `position ${open.offset} of ${where} is outside the log, which begins at ${fetched.logStartOffset}`,
      }
    if (isForbidden(fetched.code))
      return { fault: 'kafka-auth', detail: `Kafka refuses to let ${where} be read` }
    if (isTopicUnknown(fetched.code)) return this.#unknownTopic(open, where)
    if (!isLeaderMoved(fetched.code))
      this.#events.emit('waiting', { for: 'kafka', detail: `${where}: ${codeName(fetched.code)}` })
    return undefined
  }

  #unknownTopic(open: Open, where: string): ReadFault | undefined {
    const now = this.#topology.knownTopic(this.#options.topic)
    if (now !== undefined && now.topicId !== open.topicId)
      return {
        fault: 'topic-recreated',
        detail: `${this.#options.topic} was deleted and made again (was ${open.topicId}, is ${now.topicId})`,
      }
    this.#unknownSince ??= Date.now()
    if (Date.now() - this.#unknownSince < GONE_AFTER_MS) return undefined
    return { fault: 'topic-missing', detail: `${where} does not exist any more` }
  }

  async #relearn(): Promise<void> {
    await pause(RETRY_MS, this.#stop.signal)
    await this.#topology.refresh(this.#options.topic).catch(() => undefined)
    this.#startLoops()
  }
}

/** The broker fills its reply in our order, and may have no room for a large batch of the last: everyone is first once. */
const rotated = (wanted: readonly Open[], turn: number): readonly Open[] => {
  const at = turn % wanted.length
  return [...wanted.slice(at), ...wanted.slice(0, at)]
}

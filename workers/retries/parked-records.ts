/**
 * Parked records by their offset in the state topic: compaction keeps offsets, and what is not there any more is settled.
 * A fetch brings a whole batch; the neighbours are kept for a while, as they are due at about the same time.
 */
import { decodeAll } from '../../cluster/kafka/codec/records.ts'
import { CODE, codeName } from '../../cluster/kafka/codes.ts'
import { fetchRequest } from '../../cluster/kafka/requests/fetch.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { type ParkedHead, parseParked } from '../../cluster/protocol/retries.ts'

export interface ParkedRecord {
  readonly head: ParkedHead
  readonly record: Buffer
}

export interface ParkedRecords {
  /** Undefined where the record is settled. @throws where Kafka does not answer now */
  read(slot: number, stateOffset: number): Promise<ParkedRecord | undefined>
}

const KEPT_BYTES = 8 * 1024 ** 2
/** The broker answers with one whole batch however little is asked for. */
const ONE_BATCH = 1

export class StateRecords implements ParkedRecords {
  readonly #home: Topology
  readonly #topic: string
  readonly #kept = new Map<string, ParkedRecord>()
  readonly #busy = new Map<number, Promise<unknown>>()
  #bytes = 0

  constructor(home: Topology, topic: string) {
    this.#home = home
    this.#topic = topic
  }

  /** One after the other in a slot: the first fetch mostly answers the others. */
  read(slot: number, stateOffset: number): Promise<ParkedRecord | undefined> {
    const before = this.#busy.get(slot) ?? Promise.resolve()
    const reading = before.catch(() => undefined).then(() => this.#read(slot, stateOffset))
    this.#busy.set(slot, reading)
    return reading
  }

  async #read(slot: number, stateOffset: number): Promise<ParkedRecord | undefined> {
    const id = `${slot}/${stateOffset}`
    if (!this.#kept.has(id)) await this.#fetch(slot, stateOffset)
    const found = this.#kept.get(id)
    if (found !== undefined) this.#forget(id, found)
    return found
  }

  async #fetch(slot: number, stateOffset: number): Promise<void> {
    const { topicId } = await this.#home.topic(this.#topic)
    const leader = await this.#home.leader(this.#topic, slot)
    if (leader === undefined) throw new Error(`nobody leads ${this.#topic}/${slot}`)
    const target = {
      topicId,
      partition: slot,
      leaderEpoch: leader.leaderEpoch,
      offset: stateOffset,
      maxBytes: ONE_BATCH,
    }
    const request = fetchRequest([target], { maxWait: 0, maxBytes: ONE_BATCH })
    const reply = await this.#home.connections.call(leader.leader, request)
    const fetched = reply.partitions[0]
    const code = reply.code === CODE.none ? (fetched?.code ?? CODE.none) : reply.code
    // The topic was made anew: whatever stood there is nobody's.
    if (code === CODE.offsetOutOfRange) return
    if (code !== CODE.none || fetched === undefined) {
      await this.#home.refresh(this.#topic).catch(() => undefined)
      throw new Error(`${this.#topic}/${slot}: ${codeName(code)}`)
    }
    // Committed a moment ago: a reader of committed records sees it a little later.
    if (fetched.records.length === 0) throw new Error(`${this.#topic}/${slot}: not readable yet`)
    this.#keep(slot, fetched.records)
  }

  #keep(slot: number, bytes: Buffer): void {
    for (const { offset, value } of decodeAll(bytes)) {
      const parked = value === null ? undefined : parseParked(value)
      if (parked === undefined) continue
      const record = Buffer.from(parked.record)
      this.#kept.set(`${slot}/${offset}`, { head: parked.head, record })
      this.#bytes += record.length
    }
    // Whoever came first goes first; those just read stay long enough to be asked for.
    for (const [id, kept] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) break
      this.#forget(id, kept)
    }
  }

  #forget(id: string, { record }: ParkedRecord): void {
    this.#kept.delete(id)
    this.#bytes -= record.length
  }
}

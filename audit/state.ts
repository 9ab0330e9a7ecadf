/** The state topic as the audit sees it: the newest record of each key, read on from where the last look ended. */
import { MillraceError } from '../cluster/errors.ts'
import type { RecordCursor } from '../cluster/kafka/codec/decode.ts'
import { scan } from '../cluster/kafka/scan.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import {
  type InsightsState,
  type Meta,
  type Position,
  parseStateKey,
  STATE_FORMAT,
  type WindowState,
} from '../cluster/protocol/state.ts'
import { type Patience, settledEnds } from './settled.ts'

export interface StoredWindow {
  readonly aggregate: string
  readonly size: string
  readonly start: number
  readonly state: WindowState
  /** Epoch ms of its record. */
  readonly written: number
}

export interface Snapshot {
  readonly meta: Meta | undefined
  /** Aggregate -> input partition -> offset since which it is counted; absent: from the first. */
  readonly since: ReadonlyMap<string, ReadonlyMap<number, number>>
  readonly positions: ReadonlyMap<number, Position>
  /** Input partition -> offsets. */
  readonly parked: ReadonlyMap<number, ReadonlySet<number>>
  /** By slot. */
  readonly windows: ReadonlyMap<number, readonly StoredWindow[]>
  /** By count, by slot. */
  readonly insights: ReadonlyMap<number, InsightsState>
}

interface Stored {
  readonly slot: number
  readonly key: string
  /** Empty where it is not looked at: a parked record's may be large. */
  readonly text: string
  readonly written: number
}

export class StateFollower {
  readonly #home: Topology
  readonly #topic: string
  readonly #patience: Patience
  readonly #next = new Map<number, number>()
  readonly #stored = new Map<string, Stored>()

  constructor(home: Topology, topic: string, patience: Patience) {
    this.#home = home
    this.#topic = topic
    this.#patience = patience
  }

  /** Ends lie between transactions, so that what one of them wrote is seen whole or not at all. */
  async read(): Promise<Snapshot> {
    const slots = (await this.#home.topic(this.#topic)).partitions.map(({ partition }) => partition)
    const ends = await settledEnds(this.#home, this.#topic, slots, this.#patience)
    if (this.#next.size === 0)
      for (const [slot, start] of await this.#home.offsets(this.#topic, slots)) this.#next.set(slot, start)
    await Promise.all(slots.map((slot) => this.#readSlot(slot, ends.get(slot) ?? 0)))
    return this.#snapshot()
  }

  async #readSlot(slot: number, to: number): Promise<void> {
    const from = this.#next.get(slot) ?? 0
    if (to <= from) return
    const { signal } = this.#patience
    await scan(
      this.#home,
      { topic: this.#topic, partition: slot, from, to },
      (cursor) => this.#take(slot, cursor),
      signal === undefined ? {} : { signal },
    )
    this.#next.set(slot, to)
  }

  #take(slot: number, cursor: RecordCursor): void {
    if (cursor.keyStart < 0) return
    const key = cursor.bytes.toString('utf8', cursor.keyStart, cursor.keyEnd)
    const id = `${slot} ${key}`
    if (cursor.valueStart < 0) {
      this.#stored.delete(id)
      return
    }
    const read = parseStateKey(key)?.kind !== 'retry'
    const text = read ? cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd) : ''
    this.#stored.set(id, { slot, key, text, written: cursor.timestamp })
  }

  #snapshot(): Snapshot {
    const positions = new Map<number, Position>()
    const parked = new Map<number, Set<number>>()
    const windows = new Map<number, StoredWindow[]>()
    const since = new Map<string, Map<number, number>>()
    const insights = new Map<number, InsightsState>()
    let meta: Meta | undefined
    for (const { slot, key, text, written } of this.#stored.values()) {
      const parsed = parseStateKey(key)
      if (parsed?.kind === 'meta') {
        meta = checked(JSON.parse(text), this.#topic)
        for (const [name, definition] of Object.entries(meta.definitions))
          for (const [partition, offset] of Object.entries(definition.since))
            into(since, name, new Map()).set(Number(partition), offset)
      } else if (parsed?.kind === 'position') positions.set(parsed.partition, JSON.parse(text))
      else if (parsed?.kind === 'insights') insights.set(slot, JSON.parse(text))
      else if (parsed?.kind === 'retry') into(parked, parsed.partition, new Set()).add(parsed.offset)
      else if (parsed?.kind === 'window') {
        const { aggregate, size, start } = parsed
        into(windows, slot, []).push({ aggregate, size, start, state: JSON.parse(text), written })
      }
    }
    return { meta, since, positions, parked, windows, insights }
  }
}

const into = <K, V>(map: Map<K, V>, key: K, fresh: V): V => {
  const found = map.get(key) ?? fresh
  map.set(key, found)
  return found
}

const checked = (meta: Meta, topic: string): Meta => {
  if (meta.format > STATE_FORMAT)
    throw new MillraceError(
      'state-format',
      `${topic} was written by Millrace ${meta.millrace} in format ${meta.format}, this one reads ${STATE_FORMAT}`,
    )
  return meta
}

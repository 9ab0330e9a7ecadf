/**
 * The wires of one simulated process to the broker: every message takes a while, and may be lost, late or come twice. What
 * was sent arrives though the sender is frozen or dead; what is answered waits for a frozen one, and is nobody's for a
 * dead one.
 */
import { encodeBatch, type PlainRecord } from '../../cluster/kafka/codec/records.ts'
import { stamp } from '../../cluster/kafka/codec/stamp.ts'
import { Connections, type RawRequest, type Throttled } from '../../cluster/kafka/seam.ts'
import { Topology } from '../../cluster/kafka/topology.ts'
import type { FakeKafka } from '../ports/fake/kafka.ts'
import { answer, answerFetch, NODES, readFetch } from './broker.ts'
import type { Process, World } from './time.ts'

/** Chances of each message. */
export interface Weather {
  lost: number
  late: number
  twice: number
}
export const FAIR: Readonly<Weather> = { lost: 0, late: 0, twice: 0 }

const LATEST_MS = 4000
const FAST_MS = 1.5

/** What all wires share. */
export interface Air {
  readonly world: World
  readonly kafka: FakeKafka
  readonly weather: Weather
  readonly random: () => number
  /** Requests that wait for a broker which stands still; undefined while it runs. */
  stalled: (() => void)[] | undefined
  readonly seen: Record<'lost' | 'late' | 'twice', number>
}

export class Wire {
  cut = false
  readonly air: Air
  readonly process: Process

  constructor(air: Air, process: Process) {
    this.air = air
    this.process = process
  }

  /** ms under way; infinite where it never arrives. */
  travel(): number {
    const { weather, random, seen } = this.air
    if (this.cut || chance(random, weather.lost)) {
      seen.lost++
      return Number.POSITIVE_INFINITY
    }
    const ms = 0.2 + FAST_MS * random()
    if (!chance(random, weather.late)) return ms
    seen.late++
    return ms + LATEST_MS * random()
  }

  /**
   * Has `serve` done at the other end; it answers by `reply`, of which the first counts.
   * @param once false where the message may come twice. TCP brings no request twice: it is late, and was sent again.
   */
  send(serve: (reply: (act: () => void) => void) => void, once = false): void {
    this.process.do(() => {
      const { world, weather, random, seen } = this.air
      const reply = (act: () => void) => {
        const ms = this.travel()
        if (ms < Number.POSITIVE_INFINITY) world.after(ms, act, this.process)
      }
      const ms = this.travel()
      if (ms < Number.POSITIVE_INFINITY) world.after(ms, () => this.#arrive(() => serve(reply)))
      if (once || !chance(random, weather.twice)) return
      seen.twice++
      world.after(ms + LATEST_MS * random(), () => this.#arrive(() => serve(() => {})))
    })
  }

  #arrive(serve: () => void): void {
    if (this.air.stalled === undefined) serve()
    else this.air.stalled.push(serve)
  }
}

const chance = (random: () => number, share: number): boolean => share > 0 && random() < share

const REQUEST_TIMEOUT_MS = 5000

export class SimulatedConnections extends Connections {
  readonly #wire: Wire
  readonly #open = new Map<number, Set<(error: Error) => void>>()

  constructor(wire: Wire) {
    super({ brokers: [] })
    this.#wire = wire
  }

  override nodeIds(): number[] {
    return [...NODES]
  }
  override async connect(): Promise<void> {}
  override async refresh(): Promise<void> {}
  override async close(): Promise<void> {}
  /** Of the mirror: nobody reads it in a simulation. */
  override async commitOffsets(): Promise<void> {}

  /** What is in flight fails; what was sent may arrive all the same. */
  override drop(nodeId: number): void {
    for (const fail of this.#open.get(nodeId) ?? []) fail(new Error('dropped'))
  }

  override async call<T extends Throttled>(nodeId: number, raw: RawRequest<T>): Promise<T> {
    const { world, kafka } = this.#wire.air
    const request = Buffer.concat(raw.body)
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const open = this.#open.get(nodeId) ?? new Set()
    this.#open.set(nodeId, open.add(reject))
    const timeout = Math.min(raw.timeout ?? REQUEST_TIMEOUT_MS, REQUEST_TIMEOUT_MS)
    const cancel = world.after(timeout, () => reject(new Error(`${raw.name} timed out`)), this.#wire.process)
    this.#wire.send((reply) => {
      const tell = (bytes: Buffer) => reply(() => resolve(bytes))
      if (raw.name === 'Fetch') this.#fetch(nodeId, request, tell)
      else tell(answer(kafka, raw.name, request, nodeId))
    }, true)
    try {
      return raw.decode(await promise)
    } finally {
      cancel()
      open.delete(reject)
    }
  }

  /** At once where there is something to tell, else with the next news or when the wait is over. */
  #fetch(nodeId: number, request: Buffer, tell: (bytes: Buffer) => void): void {
    const { world, kafka } = this.#wire.air
    const { maxWait, wanted } = readFetch(request)
    const logs = wanted.map((one) => ({ one, log: logOf(kafka, one.topicId, one.partition) }))
    const hasNews = () =>
      logs.some(({ one, log }) => log === undefined || log.leader !== nodeId || log.stable > one.offset)
    const end = () => {
      cancel()
      kafka.signal.off('more', look)
      tell(answerFetch(kafka, nodeId, wanted))
    }
    const look = () => {
      if (hasNews()) end()
    }
    const cancel = world.after(maxWait, end)
    kafka.signal.on('more', look)
    look()
  }
}

const logOf = (kafka: FakeKafka, topicId: string, partition: number) => kafka.byId(topicId)?.logs[partition]

/** A batch as a plain producer sends it. */
export const plainBatch = (records: readonly PlainRecord[]): Uint8Array => {
  const encoded = encodeBatch(records, { transactional: false })
  if (encoded === undefined) throw new Error('a batch needs a record')
  stamp(encoded.bytes, -1, -1, -1)
  return encoded.bytes
}

/** A topology on connections of its own. */
export const topologyOn = (wire: Wire): Topology => new Topology(new SimulatedConnections(wire))

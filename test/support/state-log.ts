/**
 * What the shards commit, as it comes to stand in the state topic: positions and claims, with the time their worker gave them.
 * Kafka alone tells it, so it holds also where Redis is away, and a claim tells that a slot moved or its shard began anew.
 */
import { connectTopology } from '../../cli/host.ts'
import type { RecordCursor } from '../../cluster/kafka/codec/decode.ts'
import { scan } from '../../cluster/kafka/scan.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { type Claim, type Position, parseStateKey } from '../../cluster/protocol/state.ts'
import { type TestCluster, until } from './cluster.ts'

export interface Moved {
  readonly partition: number
  /** Next input offset. */
  readonly next: number
  /** Epoch ms. */
  readonly at: number
}

export interface Claimed {
  readonly slot: number
  readonly worker: string
  readonly epoch: number
  /** Epoch ms. */
  readonly at: number
}

/** For `await using`. */
export class StateLog implements AsyncDisposable {
  /** Whatever brought a position on, oldest first. */
  readonly moved: Moved[] = []
  readonly claims: Claimed[] = []
  readonly partitions: readonly number[]
  readonly #newest = new Map<number, number>()
  readonly #stop = new AbortController()
  readonly #following: Promise<void>[] = []

  private constructor(partitions: readonly number[]) {
    this.partitions = partitions
  }

  static async follow(cluster: TestCluster): Promise<StateLog> {
    const input = await cluster.input.topic(cluster.names.input)
    const log = new StateLog([...input.partitions.keys()])
    const home = await connectTopology(cluster.settings, 'home')
    const slots = (await home.topic(cluster.names.state)).partitions.length
    await home.connections.close()
    for (let slot = 0; slot < slots; slot++) log.#following.push(log.#follow(cluster, slot))
    return log
  }

  /** Connections of its own: a broker answers one connection's fetches one behind the other. */
  async #follow(cluster: TestCluster, slot: number): Promise<void> {
    const home = await connectTopology(cluster.settings, 'home')
    try {
      await this.#scan(home, cluster.names.state, slot)
    } finally {
      await home.connections.close()
    }
  }

  async #scan(home: Topology, topic: string, slot: number): Promise<void> {
    const from = (await home.offsets(topic, [slot])).get(slot) ?? 0
    const visit = (cursor: RecordCursor) => this.#visit(slot, cursor)
    await scan(home, { topic, partition: slot, from }, visit, { signal: this.#stop.signal })
  }

  #visit(slot: number, { bytes, keyStart, keyEnd, valueStart, valueEnd, timestamp: at }: RecordCursor): void {
    const key = parseStateKey(bytes.toString('utf8', keyStart, keyEnd))
    if (valueStart < 0) return
    const value = () => JSON.parse(bytes.toString('utf8', valueStart, valueEnd))
    if (key?.kind === 'claim') {
      const { worker, epoch } = value() as Claim
      this.claims.push({ slot, worker, epoch, at })
    }
    if (key?.kind === 'position') this.#reached(key.partition, value() as Position, at)
  }

  #reached(partition: number, { next }: Position, at: number): void {
    if (next <= (this.#newest.get(partition) ?? -1)) return
    this.#newest.set(partition, next)
    this.moved.push({ partition, next, at })
  }

  /** Resolves when each of them has moved since the call. */
  async moves(deadlineMs: number, partitions = this.partitions): Promise<void> {
    const since = this.moved.length
    await until(`partitions ${partitions.join(', ')} move`, deadlineMs, async () => {
      const moved = new Set(this.moved.slice(since).map(({ partition }) => partition))
      return partitions.every((partition) => moved.has(partition))
    })
  }

  /** Those of them that did not move between the two times (epoch ms). */
  still(from: number, to: number, partitions = this.partitions): readonly number[] {
    const moved = this.moved.filter(({ at }) => at > from && at < to).map(({ partition }) => partition)
    return partitions.filter((partition) => !moved.includes(partition))
  }

  /** Longest ms between two moves of one partition, the two times (epoch ms) counted as moves. */
  longestSilence(from: number, to: number, partitions = this.partitions): number {
    const gaps = partitions.flatMap((partition) => {
      const within = this.moved.filter(({ partition: its, at }) => its === partition && at > from && at < to)
      const times = [from, ...within.map(({ at }) => at), to]
      return times.slice(1).map((time, index) => time - (times[index] ?? time))
    })
    return Math.max(...gaps)
  }

  /** Who claimed each slot last, by slot. */
  owners(): ReadonlyMap<number, string> {
    return new Map(this.claims.map(({ slot, worker }) => [slot, worker]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#following)
  }
}

/**
 * What Kafka itself tells of a pipeline's past, from outside: who claimed which slot when (claims of the state topic), when
 * each position moved (its positions), and when each plan was written. Times are those of the records, epoch ms.
 */
import { connectTopology } from '../../cli/host.ts'
import type { RecordCursor } from '../../cluster/kafka/codec/decode.ts'
import { scan } from '../../cluster/kafka/scan.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { clusterTopic, slotOf } from '../../cluster/protocol/names.ts'
import type { PlanRecord } from '../../cluster/protocol/plan.ts'
import { type Claim, type Position, parseStateKey, stateKey } from '../../cluster/protocol/state.ts'
import { type TestCluster, until } from './cluster.ts'

export interface Claimed extends Claim {
  readonly at: number
  readonly slot: number
}

export interface Moved {
  readonly at: number
  readonly partition: number
  readonly next: number
}

export interface Planned extends PlanRecord {
  readonly at: number
}

export interface Span {
  readonly from: number
  readonly to: number
}

export class Timeline implements AsyncDisposable {
  readonly claims: Claimed[] = []
  readonly plans: Planned[] = []
  readonly slots: number
  /** Of the input, when it was opened. */
  readonly partitions: readonly number[]
  readonly #moved = new Map<number, Moved[]>()
  readonly #read = new Map<string, number>()
  readonly #cluster: TestCluster
  readonly #home: Topology
  #reading: Promise<void> = Promise.resolve()

  private constructor(
    cluster: TestCluster,
    home: Topology,
    count: { readonly [of in 'slots' | 'partitions']: number },
  ) {
    this.#cluster = cluster
    this.#home = home
    this.slots = count.slots
    this.partitions = Array.from({ length: count.partitions }, (_, partition) => partition)
  }

  static async open(cluster: TestCluster): Promise<Timeline> {
    const home = await connectTopology(cluster.settings, 'home')
    const [state, input] = await Promise.all([
      home.topic(cluster.names.state),
      cluster.input.topic(cluster.names.input),
    ])
    return new Timeline(cluster, home, {
      slots: state.partitions.length,
      partitions: input.partitions.length,
    })
  }

  /** Of one partition, in order. */
  moved(partition: number): readonly Moved[] {
    return this.#moved.get(partition) ?? []
  }

  next(partition: number): number {
    return this.moved(partition).at(-1)?.next ?? 0
  }

  /** Takes in what was committed since it last read; several callers take turns. */
  read(): Promise<void> {
    const reading = this.#reading.then(() => this.#readAll())
    this.#reading = reading.catch(() => undefined)
    return reading
  }

  async #readAll(): Promise<void> {
    const { names, settings } = this.#cluster
    const slots = Array.from({ length: this.slots }, (_, slot) => slot)
    await this.#advance(names.state, slots, (slot, cursor) => this.#takeState(slot, cursor))
    await this.#advance(clusterTopic(settings.topicPrefix), [0], (_, cursor) => this.#takePlan(cursor))
  }

  /** That commit of each of the partitions, counted from now on, is seen. */
  async goOn(deadlineMs: number, partitions = this.partitions, commits = 1): Promise<void> {
    await this.read()
    const since = new Map(partitions.map((partition) => [partition, this.moved(partition).length]))
    await until(`${commits} more commits of every partition`, deadlineMs, async () => {
      await this.read()
      return [...since].every(([partition, seen]) => this.moved(partition).length >= seen + commits)
    })
  }

  /** Longest time in ms without a commit of any of the partitions that reaches into the span, all of which must have been read. */
  silence(partitions: readonly number[], { from, to }: Span): number {
    const times = partitions
      .flatMap((partition) => this.moved(partition).map(({ at }) => at))
      .sort((a, b) => a - b)
    const within = times.filter((at) => at > from && at <= to)
    const before = times.findLast((at) => at <= from) ?? from
    const after = times.find((at) => at > to) ?? to
    const all = [before, ...within, after]
    return Math.max(...all.slice(1).map((at, index) => at - (all[index] ?? at)))
  }

  /** The longest silence of any single one of them, in ms. */
  longestSilence(span: Span, partitions = this.partitions): number {
    return Math.max(0, ...partitions.map((partition) => this.silence([partition], span)))
  }

  /** Those of them that did not move within the span. */
  still({ from, to }: Span, partitions = this.partitions): readonly number[] {
    return partitions.filter((partition) => !this.moved(partition).some(({ at }) => at > from && at < to))
  }

  /** Who claimed each slot last, by slot. */
  owners(): ReadonlyMap<number, string> {
    return new Map(this.claims.map(({ slot, worker }) => [slot, worker]))
  }

  /** Records per second of all the partitions. */
  rate(partitions: readonly number[], { from, to }: Span): number {
    const nextAt = (partition: number, time: number) =>
      this.moved(partition).findLast(({ at }) => at <= time)?.next ?? 0
    const records = partitions.map((partition) => nextAt(partition, to) - nextAt(partition, from))
    return (records.reduce((sum, count) => sum + count, 0) * 1000) / (to - from)
  }

  /** Slots that someone claimed within the span. */
  claimedIn({ from, to }: Span): ReadonlySet<number> {
    return new Set(this.claims.filter(({ at }) => at > from && at <= to).map(({ slot }) => slot))
  }

  isClaimed(partition: number, span: Span): boolean {
    return this.claimedIn(span).has(slotOf(partition, this.slots))
  }

  async #advance(
    topic: string,
    partitions: readonly number[],
    take: (partition: number, cursor: RecordCursor) => void,
  ): Promise<void> {
    const ends = await this.#home.ends(topic, partitions)
    for (const [partition, to] of ends) {
      const from = this.#read.get(`${topic}/${partition}`) ?? 0
      if (from >= to) continue
      await scan(this.#home, { topic, partition, from, to }, (cursor) => take(partition, cursor))
      // Not what it returns: that may lie behind records beyond `to`, which nobody was shown.
      this.#read.set(`${topic}/${partition}`, to)
    }
  }

  #takeState(slot: number, cursor: RecordCursor): void {
    const key = textOf(cursor, cursor.keyStart, cursor.keyEnd)
    const parsed = parseStateKey(key)
    if (parsed?.kind !== 'position' && key !== stateKey.claim) return
    const value: unknown = JSON.parse(textOf(cursor, cursor.valueStart, cursor.valueEnd))
    const at = cursor.timestamp
    if (parsed?.kind !== 'position') {
      this.claims.push({ ...(value as Claim), at, slot })
      return
    }
    const { partition } = parsed
    const { next } = value as Position
    const known = this.#moved.get(partition) ?? []
    this.#moved.set(partition, known)
    if (next > this.next(partition)) known.push({ at, partition, next })
  }

  #takePlan(cursor: RecordCursor): void {
    if (textOf(cursor, cursor.keyStart, cursor.keyEnd) !== `plan/${this.#cluster.pipeline.name}`) return
    const plan = JSON.parse(textOf(cursor, cursor.valueStart, cursor.valueEnd)) as PlanRecord
    this.plans.push({ ...plan, at: cursor.timestamp })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#home.connections.close()
  }
}

const textOf = (cursor: RecordCursor, start: number, end: number): string =>
  start < 0 ? '' : cursor.bytes.toString('utf8', start, end)

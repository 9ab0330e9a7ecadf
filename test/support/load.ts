/** Full load: every partition has records waiting at any moment, however fast the workers are. */
import { createGenerator } from '../../cli/generator.ts'
import { type TopicProducer, withProducer } from '../../cli/produce.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { TestCluster } from './cluster.ts'
import type { Timeline } from './timeline.ts'

export interface LoadOptions {
  readonly seed: number
  readonly partitions: readonly number[]
  /** Records that shall wait in each partition. */
  readonly waiting: number
  readonly signal: AbortSignal
}

const AT_ONCE = 1000
const LOOK_MS = 50

/** Produces until the signal. */
export class Load {
  /** Records produced. */
  sent = 0
  /** The fewest that waited in any partition at any look since enough did. */
  least = Number.POSITIVE_INFINITY
  /** Resolves when enough wait in every partition. */
  readonly full: Promise<void>
  readonly ended: Promise<void>
  readonly #cluster: TestCluster
  readonly #timeline: Timeline
  readonly #options: LoadOptions
  readonly #full = Promise.withResolvers<void>()

  constructor(cluster: TestCluster, timeline: Timeline, options: LoadOptions) {
    this.#cluster = cluster
    this.#timeline = timeline
    this.#options = options
    this.full = this.#full.promise
    const target = { topic: cluster.names.input, which: 'input', acks: 'all' } as const
    this.ended = withProducer(cluster.settings, target, (producer) => this.#produce(producer))
    // Whoever waits until it is full learns why it never will be.
    this.ended.catch(this.#full.reject)
  }

  async #produce(producer: TopicProducer): Promise<void> {
    const { seed, partitions, waiting, signal } = this.#options
    const generator = createGenerator({ seed, missing: 0.05, corrupt: 0.01, keys: 'uniform' })
    let full = false
    while (!signal.aborted) {
      const least = await this.#leastWaiting()
      if (full) this.least = Math.min(this.least, least)
      if (least >= waiting) {
        full = true
        this.#full.resolve()
        await pause(LOOK_MS, signal)
      }
      for (let lack = (waiting - least) * partitions.length; lack > 0; lack -= AT_ONCE) {
        await producer.send(Array.from({ length: AT_ONCE }, () => generator.next()))
        this.sent += AT_ONCE
      }
    }
  }

  async #leastWaiting(): Promise<number> {
    const { partitions } = this.#options
    await this.#timeline.read()
    const ends = await this.#cluster.input.ends(this.#cluster.names.input, partitions)
    return Math.min(
      ...partitions.map((partition) => (ends.get(partition) ?? 0) - this.#timeline.next(partition)),
    )
  }
}

/**
 * Mirrors the positions as offsets of the group `millrace.<pipeline>`, so that lag tools show the truth. Never read back,
 * but for one thing: its metadata says that the pipeline has run, so that an empty state is known to be lost.
 */
import { messageOf } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import { pause } from '../cluster/kafka/failures.ts'
import type { Connections } from '../cluster/kafka/seam.ts'
import type { Names } from '../cluster/protocol/names.ts'

export const MIRROR_METADATA = 'millrace:'

export interface MirrorOptions {
  readonly connections: Connections
  readonly names: Names
  readonly stateTopicId: string
  /** ms */
  readonly interval: number
  readonly events: EventBus
  /** Positions of all shards: partition -> next offset. */
  readonly positions: () => ReadonlyMap<number, number>
}

/** Idle positions are repeated: a thawed zombie may have set them back, and a group expires. */
const REPEAT_MS = 60_000

export class Mirror {
  readonly #options: MirrorOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #mirrored = new Map<number, number>()
  #repeatAt = 0

  constructor(options: MirrorOptions) {
    this.#options = options
    this.#running = this.#loop()
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(this.#options.interval, this.#stop.signal)
      await this.#mirror()
    }
  }

  async #mirror(): Promise<void> {
    const { names, stateTopicId, connections, events, positions } = this.#options
    const isDue = performance.now() >= this.#repeatAt
    const changed = [...positions()].filter(
      ([partition, next]) => isDue || this.#mirrored.get(partition) !== next,
    )
    if (changed.length === 0) return
    const metadata = MIRROR_METADATA + stateTopicId
    const partitions = changed.map(([partition, next]) => ({ partition, offset: String(next), metadata }))
    try {
      await connections.commitOffsets({
        groupId: names.group,
        groupGenerationId: -1,
        memberId: '',
        topics: [{ topic: names.input, partitions }],
      })
      for (const [partition, next] of changed) this.#mirrored.set(partition, next)
      if (isDue) this.#repeatAt = performance.now() + REPEAT_MS
    } catch (error) {
      events.emit('waiting', {
        for: 'the group mirror',
        detail: messageOf(error),
      })
    }
  }

  /** Once more, so that lag shows 0 after a drain. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#mirror()
  }
}

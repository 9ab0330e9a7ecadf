/**
 * Redis as the simulated processes see it: leases, reports, views and the retry queue, each over a wire of its own on
 * which commands are lost, late or done twice. What is kept there may vanish at any moment.
 */
import type { SlotReport } from '../../cluster/protocol/plan.ts'
import type { Leases } from '../../cluster/redis/lease.ts'
import type { Publication, Published, ViewPublisher } from '../../cluster/redis/views.ts'
import type { Workers } from '../../cluster/redis/workers.ts'
import { memoryLeases } from '../support/memory-leases.ts'
import { memoryWorkers } from '../support/memory-workers.ts'
import { MemoryQueue } from './queue.ts'
import type { World } from './time.ts'
import type { Wire } from './wire.ts'

/** Settings of the real client: a command without a reply ends so. */
const COMMAND_TIMEOUT_MS = 2000

export interface Parts {
  readonly epoch: number
  /** `<aggregate>/<size>/<start>` -> the newest part. */
  readonly windows: Map<string, { readonly offset: number; readonly value: unknown }>
}

export class MemoryRedis {
  away = false
  flushes = 0
  readonly leases: ReturnType<typeof memoryLeases>
  /** Another Redis, for whoever was sent there by mistake: two leaders at once. */
  readonly otherLeases: ReturnType<typeof memoryLeases>
  readonly workers: ReturnType<typeof memoryWorkers>
  readonly queue: MemoryQueue
  readonly views = new Map<number, Parts>()

  constructor(world: World) {
    this.leases = memoryLeases(world.clock)
    this.otherLeases = memoryLeases(world.clock)
    this.workers = memoryWorkers(world.clock)
    this.queue = new MemoryQueue(world)
  }

  flush(): void {
    this.flushes++
    this.leases.wipe()
    this.workers.wipe()
    this.queue.wipe()
    this.views.clear()
  }

  get highestEpoch(): number {
    return Math.max(0, ...[...this.views.values()].map(({ epoch }) => epoch))
  }

  publish(slot: number, epoch: number, known: number | undefined, publication: Publication): Published {
    if (!publication.full && known !== this.flushes) return { result: 'wiped' }
    const before = this.views.get(slot) ?? { epoch, windows: new Map() }
    const windows = before.windows
    let accepted = 0
    for (const { aggregate, size, start, offset, value } of publication.windows) {
      const key = `${aggregate}/${size}/${start}`
      if ((windows.get(key)?.offset ?? -1) > offset) continue
      windows.set(key, { offset, value })
      accepted++
    }
    for (const key of windows.keys()) {
      const [, size = '', start] = key.split('/')
      if (Number(start) < (publication.floors[size] ?? 0)) windows.delete(key)
    }
    this.views.set(slot, { epoch: Math.max(epoch, before.epoch), windows })
    return { result: 'published', accepted, refused: publication.windows.length - accepted }
  }
}

export class RedisWire {
  readonly #redis: MemoryRedis
  readonly #wire: Wire

  constructor(redis: MemoryRedis, wire: Wire) {
    this.#redis = redis
    this.#wire = wire
  }

  ask<T>(work: (redis: MemoryRedis) => T | Promise<T>): Promise<T> {
    const { world } = this.#wire.air
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    if (this.#redis.away) {
      reject(new Error('Redis is away'))
      return promise
    }
    const late = () => reject(new Error('Redis does not answer'))
    const cancel = world.after(COMMAND_TIMEOUT_MS, late, this.#wire.process)
    this.#wire.send((reply) => {
      if (this.#redis.away) return
      // The world's own work: no process waits in it.
      void Promise.resolve(work(this.#redis)).then((value) => reply(() => resolve(value)))
    })
    return promise.finally(cancel)
  }

  leases(pick: (redis: MemoryRedis) => Leases): Leases {
    return {
      acquire: (name, holder, ttl) => this.ask((redis) => pick(redis).acquire(name, holder, ttl)),
      renew: (name, term, ttl) => this.ask((redis) => pick(redis).renew(name, term, ttl)),
      release: (name, term) => this.ask((redis) => pick(redis).release(name, term)),
      holder: (name) => this.ask((redis) => pick(redis).holder(name)),
    }
  }

  get workers(): Workers {
    return {
      // As text, like the real one: what is written later is not seen.
      renew: (report, ttl) => {
        const sent = JSON.parse(JSON.stringify(report)) as typeof report
        return this.ask(({ workers }) => workers.renew(sent, ttl))
      },
      leave: (worker) => this.ask(({ workers }) => workers.leave(worker)),
      read: () => this.ask(({ workers }) => workers.read()),
    }
  }

  views(slot: SlotReport['slot'], epoch: number): ViewPublisher {
    let known: number | undefined
    return {
      publish: async (publication) => {
        const sent = structuredClone(publication)
        const seen = known
        try {
          const [reply, flushes] = await this.ask((redis): [Published, number] => [
            redis.publish(slot, epoch, seen, sent),
            redis.flushes,
          ])
          if (reply.result === 'published') known = flushes
          return reply
        } catch (error) {
          return { result: 'away', reason: String(error) }
        }
      },
    }
  }
}

/** The processes of a simulated cluster: a worker and a coordinator, put together as cli does, on simulated wires. */
import type { Admin, Producer } from 'kafkajs'
import { register } from '../../cli/register.ts'
import { systemClock } from '../../cluster/actor/clock.ts'
import { messageOf } from '../../cluster/errors.ts'
import { appendOrder } from '../../cluster/kafka/orders.ts'
import { kafkaPlanLog, kafkaPlanSource } from '../../cluster/kafka/plan-log.ts'
import type { TopicDescription } from '../../cluster/kafka/topics.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import {
  clusterTopic,
  coordinatorTransactionalId,
  ordersTransactionalId,
} from '../../cluster/protocol/names.ts'
import { PROTOCOL } from '../../cluster/protocol/negotiation.ts'
import { type Act, orderText } from '../../cluster/protocol/orders.ts'
import type { PlanRecord, WorkerReport } from '../../cluster/protocol/plan.ts'
import { writesOf } from '../../cluster/protocol/writes.ts'
import { readSettings, type Settings } from '../../cluster/settings.ts'
import { startCoordinator } from '../../coordinator/coordinator.ts'
import type { Membership } from '../../workers/membership.ts'
import { followPlan, type PlanFollower } from '../../workers/plan-follower.ts'
import { Worker } from '../../workers/worker.ts'
import type { Cluster } from './cluster.ts'
import { names, pipeline, SimulatedPool, setupOf } from './pipeline.ts'
import { consumeOn, queueOn } from './queue.ts'
import { RedisWire } from './redis.ts'
import { Process } from './time.ts'
import { plainBatch, topologyOn, Wire } from './wire.ts'

export const settings: Settings = readSettings(
  {},
  {
    lease: 3000,
    requestTimeout: 1000,
    transactionTimeout: 6000,
    grace: 2500,
    retryDelay: 300,
    retryGrace: 1500,
    retryAttempts: 4,
    mirrorInterval: 60_000,
    fetchWait: 500,
    commitInterval: 20,
    threads: 2,
    restarts: 1000,
  },
)

/** What a supervisor keeps of a worker for its successor. */
export interface Kept {
  readonly worker: string
  readonly plan?: PlanRecord
}

export class Member {
  readonly process: Process
  readonly kafka: Wire
  readonly redis: Wire
  /** Of another cluster's Redis: it sees other leases. */
  strays = false
  constructor({ air, world }: Cluster, name: string) {
    this.process = new Process(world, name)
    this.kafka = new Wire(air, this.process)
    this.redis = new Wire(air, this.process)
  }
}

/** Somebody at a terminal. */
export class Operator extends Member {
  readonly #cluster: Cluster
  constructor(cluster: Cluster) {
    super(cluster, 'operator')
    this.#cluster = cluster
  }

  /** Tries until it is given. */
  give(act: Act): Promise<void> {
    const { world } = this.#cluster
    return new Promise((resolve) => {
      const attempt = async () => {
        const topology = topologyOn(this.kafka)
        const options = {
          transactionalId: ordersTransactionalId(),
          transactionTimeout: 3000,
          requestTimeout: 1000,
        }
        const writer = new TransactionWriter(topology, options)
        const order = await appendOrder({ topology, topic: clusterTopic() }, writer, 'p', act)
        this.#cluster.note(`ORDER ${order.epoch}: ${orderText(act)}`)
        this.#cluster.counts.set(`ORDER ${act.kind}`, this.#cluster.count(`ORDER ${act.kind}`) + 1)
        resolve()
      }
      const again = () =>
        world.as(this.process, () => void attempt().catch(() => systemClock.after(500, again)))
      again()
    })
  }
}

export class SimulatedWorker extends Member {
  kept: Kept
  leaving = false
  worker: Worker | undefined
  readonly pool: SimulatedPool
  readonly #cluster: Cluster
  #stop: () => Promise<void> = async () => {}

  constructor(cluster: Cluster, kept: Kept) {
    super(cluster, kept.worker)
    this.#cluster = cluster
    this.kept = kept
    this.pool = new SimulatedPool(setupOf(cluster.shape.partitions), settings.threads, () =>
      cluster.threadDies(),
    )
    cluster.world.as(this.process, () => void this.#main().catch((error) => this.#end(error)))
  }

  /** SIGTERM. */
  leave(): void {
    this.leaving = true
    this.process.do(() => void this.#stop().catch((error) => this.#end(error)))
  }

  #end(error: unknown): void {
    if (!this.process.alive) return
    this.#cluster.note(`${this.process.name} ends: ${messageOf(error)}`)
    this.#cluster.died(this)
  }

  async #main(): Promise<void> {
    const { shape } = this.#cluster
    const { worker: id } = this.kept
    const redis = new RedisWire(this.#cluster.redis, this.redis)
    const [input, home, returns, plans] = [0, 0, 0, 0].map(() => topologyOn(this.kafka))
    if (!input || !home || !returns || !plans) throw new Error('four topologies')
    await Promise.all([input.topic(names.input), home.refresh(names.state), returns.topic(names.retried)])
    const { topicId: stateTopicId } = await home.topic(names.state)
    const own = this.#cluster.events(this.process.name)
    let membership: Membership | undefined
    const mayFence = () => membership?.mayFence() ?? false
    const topics = describeTopics(shape)
    const worker = new Worker({
      ...{ settings, pipeline, url: '', options: {}, names, name: 'p', worker: id, input, stateTopicId },
      ...{ topics, slots: shape.slots, mayFence, events: own, pool: this.pool, lanes: [home] },
      admin: { fetchOffsets: async () => [] } as Partial<Admin> as Admin,
      inputTopic: describe(names.input, this.#cluster.produced.length),
      views: (slot, epoch) => redis.views(slot, epoch),
      retries: {
        queue: queueOn(redis),
        consume: (run) => consumeOn(redis, run),
        producer: { send: (record) => this.#send(record) },
        returns,
      },
    })
    this.worker = worker
    worker.failed.catch((error) => this.#end(error))
    let draining = false
    let follower: PlanFollower | undefined
    const startedAt = Date.now()
    const report = (): WorkerReport => ({
      ...{ version: PROTOCOL.newest, worker: id, pipeline: 'p', slots: shape.slots, host: 'h', pid: 1 },
      ...{ startedAt, owned: worker.report(), capacity: settings.threads, writes: writesOf(names) },
      draining,
      appliedEpoch: follower?.appliedEpoch() ?? 0,
    })
    const writer = { pipeline: 'p', worker: id, startedAt, writes: writesOf(names) }
    membership = await register(
      { workers: redis.workers, writer },
      { events: own, leaseMs: settings.lease, report },
    )
    follower = followPlan({
      source: this.#cluster.echoing(
        kafkaPlanSource({ topology: plans, topic: clusterTopic(), notice: () => {} }),
      ),
      pipeline: 'p',
      worker: id,
      slots: shape.slots,
      last: this.kept.plan,
      keep: (plan) => {
        this.kept = { worker: id, plan }
      },
      apply: (epoch, slots, paused) => worker.apply(epoch, slots, paused),
      applied: () => membership?.tell(),
      onFailure: (error) => this.#end(error),
    })
    const stop = async () => {
      draining = true
      await follower.stop()
      await worker.stop()
      await membership.stop()
      this.#cluster.left(this)
    }
    this.#stop = stop
    if (this.leaving) await stop()
  }

  /** Of results of retries; sent again by whoever waits in vain. */
  #send: Producer['send'] = ({ topic, messages }) => {
    const { kafka } = this.#cluster
    const { promise, resolve, reject } = Promise.withResolvers<[]>()
    const cancel = systemClock.after(settings.requestTimeout, () => reject(new Error('not sent')), 'holds')
    const batches = messages.map(({ partition = 0, key = null, value }) => ({
      partition,
      batch: plainBatch([{ timestamp: Date.now(), key, value }]),
    }))
    this.kafka.send((reply) => {
      for (const { partition, batch } of batches) kafka.put(topic, partition, batch)
      reply(() => resolve([]))
    })
    return promise.finally(cancel)
  }
}

const describe = (name: string, partitions: number): TopicDescription => ({
  name,
  partitions,
  replication: 1,
  configs: {},
})

interface Shape {
  readonly partitions: number
  readonly slots: number
}

/** By name; what a broker of the simulation makes at first. */
export const describeTopics = ({ partitions, slots }: Shape): Map<string, TopicDescription> => {
  const bySlot = [names.state, names.drops, names.retried].map((name) => describe(name, slots))
  const byPartition = ['in', 'out', 'dlq'].map((name) => describe(name, partitions))
  return new Map([...bySlot, ...byPartition, describe(clusterTopic(), 1)].map((one) => [one.name, one]))
}

export class SimulatedCoordinator extends Member {
  readonly started: ReturnType<typeof startCoordinator>

  constructor(cluster: Cluster, name: string) {
    super(cluster, name)
    this.started = cluster.world.as(this.process, () => this.#start(cluster))
  }

  #start(cluster: Cluster) {
    const redis = new RedisWire(cluster.redis, this.redis)
    const topology = topologyOn(this.kafka)
    const { transactionTimeout, requestTimeout, lease: leaseMs } = settings
    const writer = new TransactionWriter(topology, {
      transactionalId: coordinatorTransactionalId(),
      transactionTimeout,
      requestTimeout,
    })
    return startCoordinator({
      id: this.process.name,
      leases: redis.leases(({ leases, otherLeases }) => (this.strays ? otherLeases : leases)),
      workers: redis.workers,
      log: kafkaPlanLog({ topology, topic: clusterTopic(), notice: () => {} }, writer),
      clock: systemClock,
      events: cluster.events(this.process.name),
      leaseMs,
      viewEpoch: () => redis.ask(({ highestEpoch }) => highestEpoch),
    })
  }
}

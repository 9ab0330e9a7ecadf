/** What goes wrong in a run: a list of faults, made from the seed, so that a failing run can be tried with fewer of them. */
import { type Random, seededRandom } from '../../cli/random.ts'
import type { Act } from '../../cluster/protocol/orders.ts'
import type { Cluster, Shape } from './cluster.ts'
import { FAIR } from './wire.ts'

export interface Fault {
  readonly kind: Kind
  /** Virtual ms. */
  readonly at: number
  readonly ms: number
  /** Whom it hits: of as many as there are. */
  readonly whom: number
}

/** What somebody orders, and takes back after a while. */
export interface Given {
  readonly kind: 'pause' | 'drain' | 'pin' | 'move'
  /** Virtual ms. */
  readonly at: number
  readonly ms: number
  /** Partition or slot, of as many as there are. */
  readonly which: number
  readonly whom: number
}

export interface Story {
  readonly shape: Shape
  readonly faults: readonly Fault[]
  readonly orders: readonly Given[]
}

/** Virtual ms in which records come in and faults happen. */
export const BUSY_MS = 20_000
const FIRST_FAULT_MS = 3000

type Happen = (cluster: Cluster, fault: Fault) => void

const workerOf = ({ living }: Cluster, { whom }: Fault) => living[whom % living.length]
const coordinatorOf = ({ coordinators }: Cluster, { whom }: Fault) => coordinators[whom % coordinators.length]
/** @param off what ends it */
const later = ({ world }: Cluster, { ms }: Fault, off: () => void) => void world.after(ms, off)

const acts = {
  'kill worker': (cluster, fault) => {
    const worker = workerOf(cluster, fault)
    if (worker !== undefined) cluster.died(worker, fault.ms)
  },
  'lose machine': (cluster, fault) => {
    const worker = workerOf(cluster, fault)
    if (worker !== undefined && cluster.living.length > 1) cluster.died(worker, Number.POSITIVE_INFINITY)
  },
  'freeze worker': (cluster, fault) => {
    const worker = workerOf(cluster, fault)
    worker?.process.freeze()
    later(cluster, fault, () => worker?.process.thaw())
  },
  'worker joins': (cluster) => void (cluster.living.length < 6 && cluster.addWorker()),
  'worker leaves': (cluster, fault) => {
    if (cluster.living.length > 1) workerOf(cluster, fault)?.leave()
  },
  'kill coordinator': (cluster, { whom, ms }) => cluster.killCoordinator(whom, ms),
  'freeze coordinator': (cluster, fault) => {
    const coordinator = coordinatorOf(cluster, fault)
    coordinator?.process.freeze()
    later(cluster, fault, () => coordinator?.process.thaw())
  },
  'cut worker from Redis': (cluster, fault) => {
    const worker = workerOf(cluster, fault)
    if (worker === undefined) return
    worker.redis.cut = true
    later(cluster, fault, () => {
      worker.redis.cut = false
    })
  },
  'cut worker from Kafka': (cluster, fault) => {
    const worker = workerOf(cluster, fault)
    if (worker === undefined) return
    worker.kafka.cut = true
    later(cluster, fault, () => {
      worker.kafka.cut = false
    })
  },
  'two leaders': (cluster, fault) => {
    const coordinator = coordinatorOf(cluster, fault)
    if (coordinator === undefined) return
    coordinator.strays = true
    later(cluster, fault, () => {
      coordinator.strays = false
    })
  },
  'Redis away': (cluster, fault) => {
    cluster.redis.away = true
    cluster.redis.workers.away = true
    later(cluster, fault, () => {
      cluster.redis.away = false
      cluster.redis.workers.away = false
    })
  },
  'Redis flushed': (cluster) => cluster.redis.flush(),
  'broker stands still': (cluster, fault) => {
    cluster.stallBroker()
    later(cluster, fault, () => cluster.resumeBroker())
  },
  'bad wires': (cluster, fault) => {
    Object.assign(cluster.air.weather, { lost: 0.02, late: 0.02, twice: 0.02 })
    later(cluster, fault, () => Object.assign(cluster.air.weather, FAIR))
  },
  'leader moves': (cluster, { whom }) => {
    const topics = ['in', 'out', 'millrace.p.state', 'millrace.cluster']
    cluster.moveLeader(topics[whom % topics.length] ?? 'in', whom % 3)
  },
  'input grows': (cluster) => cluster.growInput(),
  'threads die': (cluster, fault) => {
    cluster.deadly = 0.05
    later(cluster, fault, () => {
      cluster.deadly = 0
    })
  },
} as const satisfies Readonly<Record<string, Happen>>

export type Kind = keyof typeof acts
const kinds = Object.keys(acts) as readonly Kind[]

/** Nothing of these hits a worker or a wire: whatever happens, no hand-over may fence anybody. */
const GENTLE: readonly Kind[] = [
  'worker joins',
  'worker leaves',
  'kill coordinator',
  'freeze coordinator',
  'two leaders',
  'Redis away',
  'Redis flushed',
  'threads die',
  'input grows',
]
/** One run of five is gentle. */
const GENTLE_SHARE = 5

const given: readonly Given['kind'][] = ['pause', 'drain', 'pin', 'move']
/** In one run of three somebody steers. */
const ORDERED = [4, 5, 6]
const AMONG = 9

/** From chance of their own: the rest of a run is as it would be without them. */
const ordersOf = (seed: number): readonly Given[] => {
  if (!ORDERED.includes(seed % AMONG)) return []
  const random = seededRandom(seed ^ 0x0de5)
  return Array.from({ length: 1 + random.below(6) }, () => ({
    kind: given[random.below(given.length)] ?? 'pause',
    at: FIRST_FAULT_MS + random.below(BUSY_MS - FIRST_FAULT_MS),
    ms: 100 + random.below(9000),
    which: random.below(8),
    whom: random.below(12),
  })).sort((a, b) => a.at - b.at)
}

const actOf = ({ kind, which, whom }: Given, { shape, living }: Cluster): Act | undefined => {
  const worker = living[whom % Math.max(1, living.length)]?.process.name
  if (kind === 'pause') return { kind, partition: which % shape.partitions, on: true }
  if (worker === undefined) return undefined
  if (kind === 'drain') return { kind, worker, on: true }
  const slot = which % shape.slots
  return kind === 'pin' ? { kind, slot, worker, on: true } : { kind, slot, worker }
}

export const storyOf = (random: Random, seed: number): Story => {
  const partitions = 1 + random.below(8)
  const shape = {
    partitions,
    slots: random.below(3) === 0 ? Math.max(1, partitions - 2) : partitions,
    workers: 1 + random.below(4),
    coordinators: 1 + random.below(2),
  }
  const among = random.below(GENTLE_SHARE) === 0 ? GENTLE : kinds
  const faults = Array.from({ length: 1 + random.below(10) }, (): Fault => {
    const kind = among[random.below(among.length)] ?? 'kill worker'
    const at = FIRST_FAULT_MS + random.below(BUSY_MS - FIRST_FAULT_MS)
    return { kind, at, ms: 100 + random.below(9000), whom: random.below(12) }
  })
  return { shape, faults: faults.sort((a, b) => a.at - b.at), orders: ordersOf(seed) }
}

export const isGentle = ({ faults }: Story): boolean => faults.every(({ kind }) => GENTLE.includes(kind))

export const begin = (cluster: Cluster, { faults, orders }: Story): void => {
  for (const order of orders)
    cluster.world.after(order.at, () => {
      const act = actOf(order, cluster)
      if (act === undefined) return
      cluster.order(act)
      if ('on' in act) cluster.world.after(order.ms, () => cluster.order({ ...act, on: false }))
    })
  for (const fault of faults)
    cluster.world.after(fault.at, () => {
      cluster.note(`FAULT ${fault.kind} (${fault.whom}) for ${fault.ms} ms`)
      acts[fault.kind](cluster, fault)
    })
}

export const textOf = ({ kind, at, ms, whom }: Fault, index: number): string =>
  `  ${index}: at ${(at / 1000).toFixed(2)} s ${kind}, ${ms} ms, whom ${whom}`

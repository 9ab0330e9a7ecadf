/**
 * A calm cluster whose records have Zipf keys, each key up to three times as dear as another: how much more the busiest
 * worker computes than the mean, at first and once the plan has settled, measured in what its pool spent.
 */
import { type Random, seededRandom } from '../../cli/random.ts'
import { Cluster } from './cluster.ts'
import { isDone, judge, stuck } from './judge.ts'
import { inhabit, World } from './time.ts'

export interface Balance {
  /** Busiest worker / mean, before the first measured plan and at the end. */
  readonly first: number
  readonly settled: number
  /** Share of a worker's mean that the dearest slot has: it cannot be shared. */
  readonly dearest: number
  readonly wrong: readonly string[]
}

const SHAPE = { partitions: 32, slots: 32, workers: 4, coordinators: 1 }
const KEYS = 2000
const SKEW = 3
/** CPU ms that all records of a second cost: a core and a half a worker. */
const LOAD = 1500 * SHAPE.workers
const TICK_MS = 1000
const RECORDS_A_TICK = 200
/** Measured from then on at first, and before the end. */
const FROM_MS = 2000
const FIRST_MS = 8000
const SETTLED_MS = 80_000
const END_MS = 110_000

interface Key {
  readonly partition: number
  readonly cost: number
  /** Records of the keys up to this one, as a share of all. */
  readonly below: number
}

const keysOf = (random: Random): readonly Key[] => {
  const weights = Array.from({ length: KEYS }, (_, at) => 1 / (at + 1))
  const all = weights.reduce((sum, one) => sum + one, 0)
  let below = 0
  const keys = weights.map((weight) => {
    below += weight / all
    return { partition: random.below(SHAPE.partitions), cost: 1 + (SKEW - 1) * random.unit(), below, weight }
  })
  const mean = keys.reduce((sum, { cost, weight }) => sum + (cost * weight) / all, 0)
  const unit = (LOAD * TICK_MS) / 1000 / RECORDS_A_TICK / mean
  return keys.map(({ weight: _, ...key }) => ({ ...key, cost: key.cost * unit }))
}

const pick = (keys: readonly Key[], at: number): Key | undefined => {
  let [low, high] = [0, keys.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle]?.below ?? 1) < at) low = middle + 1
    else high = middle
  }
  return keys[low]
}

const load = (cluster: Cluster, random: Random): number => {
  const keys = keysOf(random)
  const slots = new Array<number>(SHAPE.slots).fill(0)
  for (const [at, { partition, cost }] of keys.entries())
    slots[partition] = (slots[partition] ?? 0) + cost / (at + 1)
  const tick = () => {
    const batches = new Map<number, number[]>()
    for (let i = 0; i < RECORDS_A_TICK; i++) {
      const key = pick(keys, random.unit())
      if (key !== undefined) batches.set(key.partition, [...(batches.get(key.partition) ?? []), key.cost])
    }
    for (const [partition, costs] of batches) cluster.produce(partition, costs)
    if (cluster.world.now < END_MS - TICK_MS) cluster.world.after(TICK_MS, tick)
  }
  cluster.world.after(FROM_MS - TICK_MS, tick)
  const all = slots.reduce((sum, one) => sum + one, 0)
  return (Math.max(...slots) / all) * SHAPE.workers
}

const spentIn = async (cluster: Cluster, from: number, to: number): Promise<number> => {
  await cluster.world.run(from)
  const before = cluster.workers.map(({ pool }) => pool.used)
  await cluster.world.run(to)
  const spent = cluster.workers.map(({ pool }, at) => pool.used - (before[at] ?? 0))
  return Math.max(...spent) / (spent.reduce((sum, one) => sum + one, 0) / spent.length)
}

export const balanceOf = async (seed: number): Promise<Balance> => {
  const random = seededRandom(seed)
  const world = new World()
  inhabit(world, random.unit)
  const cluster = new Cluster(world, SHAPE, seed)
  const dearest = load(cluster, random)
  const first = await spentIn(cluster, FROM_MS, FIRST_MS)
  const settled = await spentIn(cluster, SETTLED_MS, END_MS)
  const limit = world.now + 30_000
  while (!isDone(cluster) && world.now < limit) await world.run(world.now + 500)
  const wrong = isDone(cluster) ? [] : [stuck(cluster)]
  await world.run(world.now + 3000)
  return { first, settled, dearest, wrong: [...wrong, ...(await judge(cluster, true))] }
}

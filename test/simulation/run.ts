/** One run: a cluster from a seed, a story that happens to it, calm, and the verdict. */
import { seededRandom } from '../../cli/random.ts'
import { Cluster } from './cluster.ts'
import { isDone, judge, stuck } from './judge.ts'
import { BUSY_MS, begin, isGentle, type Story, storyOf } from './story.ts'
import { inhabit, World } from './time.ts'

export interface Verdict {
  readonly wrong: readonly string[]
  readonly story: Story
  /** What happened, line by line, with its virtual second. */
  readonly told: readonly string[]
  /** How often what happened; a name may come again. */
  readonly counts: readonly (readonly [name: string, times: number])[]
  readonly events: number
  /** Virtual ms. */
  readonly took: number
}

/** Longest that a cluster may need to be done once nothing goes wrong any more. */
const HEALS_MS = 60_000
const SETTLE_MS = 4000
const LOOK_MS = 500

/** @param only indices of the faults that shall happen; absent: all */
export const play = async (seed: number, only?: readonly number[]): Promise<Verdict> => {
  const random = seededRandom(seed)
  const whole = storyOf(random, seed)
  const story = { ...whole, faults: whole.faults.filter((_, at) => only?.includes(at) ?? true) }
  const world = new World()
  inhabit(world, random.unit)
  const cluster = new Cluster(world, story.shape, seed)
  const wrong: string[] = []
  const broken = (error: unknown) => wrong.push(`a rejection nobody hears of: ${textOf(error)}`)
  process.on('unhandledRejection', broken)
  try {
    begin(cluster, story)
    for (const partition of cluster.produced.keys()) cluster.feed(partition)
    const over = lastOf(story)
    await world.run(over)
    const limit = over + HEALS_MS
    while (!isDone(cluster) && world.now < limit) await world.run(world.now + LOOK_MS)
    if (isDone(cluster)) await world.run(world.now + SETTLE_MS)
    else wrong.push(stuck(cluster))
    wrong.push(...cluster.unlawful)
    wrong.push(...(await judge(cluster, isGentle(story))))
  } finally {
    process.off('unhandledRejection', broken)
  }
  const records = cluster.produced.reduce((sum, one) => sum + one, 0)
  const faults = story.faults.map(({ kind }) => [`FAULT ${kind}`, 1] as const)
  const counts = [
    ...cluster.counts,
    ...Object.entries(cluster.air.seen),
    ...faults,
    ['records', records] as const,
  ]
  return { wrong, story, told: cluster.story, counts, events: world.events, took: world.now }
}

const textOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? '') : String(error))

const lastOf = ({ faults, orders }: Story): number =>
  Math.max(BUSY_MS, ...[...faults, ...orders].map(({ at, ms }) => at + ms))

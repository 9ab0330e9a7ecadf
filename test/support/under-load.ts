/** A fault while records flow, and the audit of all that was ever produced behind it: what every fault test has in common. */
import { expect } from 'vitest'
import { clean, type Running, type TestCluster } from './cluster.ts'
import { seeded } from './seed.ts'
import { Timeline } from './timeline.ts'

export interface Load {
  readonly timeline: Timeline
  readonly random: () => number
}

/** Records a second over all partitions: little enough for a machine that is busy with the faults themselves. */
const RATE = 2000
const DEADLINE_MS = 90_000

/** `fault` begins when every partition moves; what it has broken is mended when it resolves. */
export const underLoad = async (
  cluster: TestCluster,
  name: string,
  fault: (load: Load) => Promise<void>,
): Promise<void> => {
  const { seed, random } = seeded(name)
  await using timeline = await Timeline.open(cluster)
  const enough = new AbortController()
  const flowing = cluster.produce(Number.POSITIVE_INFINITY, { rate: RATE, seed }, enough.signal)
  try {
    await timeline.goOn(DEADLINE_MS)
    await fault({ timeline, random })
  } finally {
    enough.abort()
    await flowing
  }
  await cluster.settled(DEADLINE_MS)
  await cluster.drained(DEADLINE_MS)
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: await cluster.written() })
}

/** Epoch ms of the first line that fits, as its process gave it. */
export const timeOf = ({ lines }: Running, pattern: RegExp, from = 0): number =>
  Date.parse(
    lines
      .slice(from)
      .find((line) => pattern.test(line))
      ?.split(' ')[0] ?? '',
  )

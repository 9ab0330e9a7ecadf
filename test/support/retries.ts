/** What tests of retries wait for and look at. */
import type { SlotReport } from '../../cluster/protocol/plan.ts'
import { type TestCluster, until } from './cluster.ts'

/** Reports of all slots, from one look; undefined where one is missing or does not run. */
const running = async (cluster: TestCluster): Promise<readonly SlotReport[] | undefined> => {
  const reports = await cluster.reports()
  const slots = reports[0]?.slots
  const owned = reports.flatMap((report) => report.owned.filter(({ state }) => state === 'running'))
  return slots !== undefined && new Set(owned.map(({ slot }) => slot)).size === slots ? owned : undefined
}

/** Undefined while a slot is on its way from one worker to another. */
export const parkedNow = async (cluster: TestCluster): Promise<number | undefined> =>
  (await running(cluster))?.reduce((sum, { counters }) => sum + counters.parked, 0)

/** Every slot runs and nothing waits for another run. */
export const unparked = (cluster: TestCluster, deadlineMs: number): Promise<void> =>
  until('nothing is parked', deadlineMs, async () => (await parkedNow(cluster)) === 0)

/** At least that many wait. */
export const parkedUpTo = (cluster: TestCluster, count: number, deadlineMs: number): Promise<void> =>
  until(`${count} records are parked`, deadlineMs, async () => ((await parkedNow(cluster)) ?? 0) >= count)

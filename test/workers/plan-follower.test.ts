/** Plans that a worker does not follow: it says so in one line, keeps what it owns, and goes on with the next that it can follow. */
import { describe, expect, test } from 'vitest'
import type { PlanRecord, UnreadPlan } from '../../cluster/protocol/plan.ts'
import { followPlan } from '../../workers/plan-follower.ts'
import { memoryPlanStore } from '../support/memory-plan-log.ts'

const SPEAKS = { newest: 2, oldest: 1 }

const planOf = (epoch: number, owners: readonly (string | null)[], version = 1): PlanRecord => ({
  ...{ version, pipeline: 'p', epoch, slots: owners.length, owners, leader: 'l' },
})
const unread = (epoch: number): UnreadPlan => ({ version: 3, pipeline: 'p', epoch })
const settle = () => new Promise((resolve) => setImmediate(resolve))

const rig = (last?: PlanRecord) => {
  const store = memoryPlanStore()
  const log = store.writer()
  const calls: [number, readonly number[]][] = []
  const notices: string[] = []
  const follower = followPlan({
    ...{ source: log, pipeline: 'p', worker: 'a', slots: 2, last, protocol: SPEAKS },
    apply: async (epoch, slots) => void calls.push([epoch, slots]),
    notice: (line) => notices.push(line),
  })
  const tell = async (...plans: readonly (PlanRecord | UnreadPlan)[]) => {
    for (const plan of plans) store.tell(plan)
    await settle()
  }
  return { tell, calls, notices, follower }
}

describe('a plan for another number of slots', () => {
  test('is refused in one line, what is owned stays; the corrected one is followed', async () => {
    const { tell, calls, notices, follower } = rig()
    await tell(planOf(1, ['a', null]))
    await tell(planOf(2, [null, null, 'a']))
    await tell(planOf(2, [null, null, 'a']))
    expect(calls).toEqual([[1, [0]]])
    expect(follower.appliedEpoch()).toBe(1)
    expect(notices).toEqual(['plan 2 of p is for 3 slots, and it has 2: what is owned stays'])
    await tell(planOf(3, ['a', 'a']))
    expect(calls.at(-1)).toEqual([3, [0, 1]])
    await follower.stop()
  })
})

describe('a plan of a version that is not read', () => {
  test('moves nothing, and no older one does after it; a newer one that is read does', async () => {
    const { tell, calls, follower } = rig()
    await tell(planOf(1, ['a', null]))
    await tell(unread(5))
    await tell(planOf(4, [null, 'a']))
    expect(calls).toEqual([[1, [0]]])
    await tell(planOf(6, ['a', 'a']))
    expect(calls.at(-1)).toEqual([6, [0, 1]])
    await follower.stop()
  })

  test('takes the place of an older one that was not applied yet', async () => {
    const { tell, calls, follower } = rig()
    await tell(planOf(1, ['a', null]), unread(5))
    expect(calls).toEqual([])
    await follower.stop()
  })

  test('is not gone on with where it was kept by a predecessor of another build', async () => {
    const { tell, calls, follower } = rig(planOf(7, ['a', 'a'], 3))
    await settle()
    expect(calls).toEqual([])
    await tell(planOf(8, ['a', null]))
    expect(calls).toEqual([[8, [0]]])
    await follower.stop()
  })
})

test('a worker writes in the version of the newest plan that it could read, before the first in its oldest', async () => {
  const { tell, follower } = rig()
  const versions = [follower.version()]
  for (const plan of [planOf(1, ['a', null]), planOf(2, ['a', null], 2), unread(3), planOf(4, ['a', null])]) {
    await tell(plan)
    versions.push(follower.version())
  }
  expect(versions).toEqual([1, 1, 2, 2, 1])
  await follower.stop()
})

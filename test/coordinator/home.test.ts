/** After Redis was emptied the leader says anew whose its keys are; where another installation was first, it ends. */
import { expect, test } from 'vitest'
import { MillraceError } from '../../cluster/errors.ts'
import { EventBus } from '../../cluster/events.ts'
import { startCoordinator } from '../../coordinator/coordinator.ts'
import { memoryLeases } from '../support/memory-leases.ts'
import { memoryPlanStore } from '../support/memory-plan-log.ts'
import { memoryWorkers } from '../support/memory-workers.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const LEASE = 10_000

const rig = () => {
  const clock = virtualClock()
  const leases = memoryLeases(clock)
  const workers = memoryWorkers(clock)
  const store = memoryPlanStore()
  const claims: string[] = []
  let answer = async (): Promise<void> => {}
  const coordinator = (id: string) => {
    const claimHome = () => {
      claims.push(id)
      return answer()
    }
    const means = { leases, workers, clock, claimHome, leaseMs: LEASE, viewEpoch: async () => 0 }
    return startCoordinator({ ...means, id, log: store.writer(), events: new EventBus() })
  }
  const fails = (error: Error | undefined) => {
    answer = async () => {
      if (error !== undefined) throw error
    }
  }
  return { clock, workers, claims, coordinator, fails }
}

test('the leader claims the keys once, and once more whenever Redis was emptied; who stands by does not', async () => {
  const { clock, workers, claims, coordinator } = rig()
  const [leader, standby] = [coordinator('leader'), coordinator('standby')]
  await clock.advance(5000)
  expect(claims).toEqual(['leader'])
  workers.wipe()
  await clock.advance(5000)
  expect(claims).toEqual(['leader', 'leader'])
  await Promise.all([leader.stop(), standby.stop()])
})

test('it tries again where Redis did not answer', async () => {
  const { clock, claims, coordinator, fails } = rig()
  fails(new Error('Redis is away'))
  const leader = coordinator('leader')
  await clock.advance(2000)
  const tried = claims.length
  expect(tried).toBeGreaterThan(1)
  fails(undefined)
  await clock.advance(2000)
  expect(claims).toHaveLength(tried + 1)
  await leader.stop()
})

test('where another installation has them it ends with that error', async () => {
  const { clock, workers, coordinator, fails } = rig()
  const leader = coordinator('leader')
  await clock.advance(2000)
  const error = new MillraceError('redis-conflict', 'they are of another')
  fails(error)
  workers.wipe()
  await clock.advance(2000)
  expect(await leader.stopped).toEqual({ why: 'failed', error })
  expect(leader.leads()).toBe(false)
})

import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Actor, spawn } from '../../../cluster/actor/actor.ts'
import { backoffMs } from '../../../cluster/actor/backoff.ts'
import { spend } from '../../../cluster/actor/budget.ts'
import { supervise } from '../../../cluster/actor/supervise.ts'
import { virtualClock } from '../../support/virtual-clock.ts'

test('backoff doubles to its cap and jitters between half and whole', () => {
  const backoff = { firstMs: 100, maxMs: 1000 }
  expect([1, 2, 3, 4, 5, 1000].map((n) => backoffMs(backoff, n, 1))).toEqual([100, 200, 400, 800, 1000, 1000])
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const step = backoffMs(backoff, attempt, 1)
      expect(backoffMs(backoff, attempt, random)).toBeGreaterThanOrEqual(step / 2)
      expect(backoffMs(backoff, attempt, random)).toBeLessThanOrEqual(step)
    }),
  )
})

test('the budget never grants more than its restarts in any window, and always grants again after it', () => {
  const budget = { restarts: 3, windowMs: 1000 }
  fc.assert(
    fc.property(fc.array(fc.nat(700), { maxLength: 60 }), (gaps) => {
      let now = 0
      let spent: readonly number[] = []
      const granted: number[] = []
      for (const gap of gaps) {
        now += gap
        const verdict = spend(budget, spent, now)
        spent = verdict.spent
        if (verdict.granted) granted.push(now)
      }
      for (const at of granted) {
        expect(granted.filter((t) => t <= at && at - t < 1000).length).toBeLessThanOrEqual(3)
      }
      expect(spend(budget, spent, now + 1000).granted).toBe(true)
    }),
  )
})

describe('supervise', () => {
  const rig = () => {
    const clock = virtualClock()
    const children: Actor<'fail'>[] = []
    const supervised = supervise({
      clock,
      budget: { restarts: 2, windowMs: 60_000 },
      backoff: { firstMs: 100, maxMs: 1000 },
      start: () => {
        const child = spawn<'fail'>({
          name: 'child',
          receive: () => {
            throw new Error(`failure ${children.length}`)
          },
        })
        children.push(child)
        return child
      },
    })
    return { clock, children, supervised }
  }

  test('restarts a failed child after its backoff, and gives up when the budget is spent', async () => {
    const { clock, children, supervised } = rig()
    for (const expected of [1, 2, 3]) {
      expect(children).toHaveLength(expected)
      children.at(-1)?.tell('fail')
      await setImmediate()
      await clock.advance(500)
    }
    expect(children).toHaveLength(3)
    expect(await supervised.stopped).toEqual({ why: 'gave-up', error: new Error('failure 3') })
  })

  test('a child that never ends is let go of and replaced; when it ends after all, nobody hears', async () => {
    const { clock, children, supervised } = rig()
    supervised.replace(new Error('it stood still'))
    supervised.replace(new Error('again, before another one was there'))
    await clock.advance(500)
    expect(children).toHaveLength(2)
    children[0]?.tell('fail')
    await setImmediate()
    await clock.advance(5000)
    expect(children).toHaveLength(2)
    await supervised.stop()
    expect(await supervised.stopped).toEqual({ why: 'stopped' })
  })

  test('a stop during the backoff starts no other child', async () => {
    const { clock, children, supervised } = rig()
    children[0]?.tell('fail')
    await setImmediate()
    await supervised.stop()
    await clock.advance(5000)
    expect(children).toHaveLength(1)
    expect(await supervised.stopped).toEqual({ why: 'stopped' })
  })

  test('a stop ends the child', async () => {
    const { children, supervised } = rig()
    await supervised.stop()
    expect(await children[0]?.stopped).toEqual({ why: 'stopped' })
  })
})

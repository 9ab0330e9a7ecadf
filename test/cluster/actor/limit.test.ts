import { expect, test } from 'vitest'
import { limit } from '../../../cluster/actor/limit.ts'

test('never more than the limit run at once, all run, in their order, also past a failure', async () => {
  const limited = limit(3)
  const begun: number[] = []
  let running = 0
  let most = 0
  const gates = Array.from({ length: 10 }, () => Promise.withResolvers<void>())
  const runs = gates.map(({ promise }, index) =>
    limited(async () => {
      begun.push(index)
      most = Math.max(most, ++running)
      await promise.finally(() => running--)
    }),
  )
  const settled = Promise.allSettled(runs)
  for (const [index, gate] of gates.entries()) {
    if (index === 4) gate.reject(new Error('one fails'))
    else gate.resolve()
    await runs[index]?.catch(() => undefined)
  }
  await settled
  expect(most).toBe(3)
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

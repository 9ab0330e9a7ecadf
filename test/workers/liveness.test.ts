import { expect, test } from 'vitest'
import { Liveness } from '../../workers/liveness.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const LOOK_MS = 5000

test('Kafka is away from the first look that finds so until one finds it, and never between two looks that do', async () => {
  const clock = virtualClock()
  let answers = true
  const ask = async () => {
    if (!answers) throw new Error('nobody answers')
  }
  const liveness = new Liveness({
    clock,
    rules: { stallTimeout: 90_000, taskTimeout: 30_000 },
    slots: () => [],
    askEnds: ask,
    askAnybody: ask,
    stalled: () => undefined,
  })
  await clock.advance(LOOK_MS)
  await clock.advance(LOOK_MS - 1)
  expect(liveness.kafkaAwayMs()).toBe(0)
  await clock.advance(1)
  answers = false
  await clock.advance(LOOK_MS)
  expect(liveness.kafkaAwayMs()).toBe(0)
  await clock.advance(2 * LOOK_MS - 1)
  expect(liveness.kafkaAwayMs()).toBe(2 * LOOK_MS - 1)
  answers = true
  await clock.advance(LOOK_MS)
  expect(liveness.kafkaAwayMs()).toBe(0)
  liveness.stop()
})

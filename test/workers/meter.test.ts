import { expect, test } from 'vitest'
import { Meter } from '../../workers/meter.ts'

test('rates are those of the last five seconds', () => {
  const meter = new Meter()
  meter.cpu(30)
  meter.cpu(20)
  meter.commit(1000, 500)
  meter.commit(2000, 500)
  expect(meter.rates(2000)).toEqual({ recordsPerSecond: 200, cpuMsPerSecond: 10 })
  expect(meter.rates(6500)).toEqual({ recordsPerSecond: 100, cpuMsPerSecond: 0 })
  expect(meter.rates(7000)).toEqual({ recordsPerSecond: 0, cpuMsPerSecond: 0 })
})

test('thread time counts at the commit of its batch, once', () => {
  const meter = new Meter()
  meter.cpu(100)
  expect(meter.rates(0).cpuMsPerSecond).toBe(0)
  meter.commit(10, 1)
  meter.commit(20, 1)
  expect(meter.rates(20).cpuMsPerSecond).toBe(20)
})

test('a meter that nobody reads does not grow', () => {
  const meter = new Meter()
  for (let at = 0; at < 100_000; at += 20) meter.commit(at, 1)
  expect(meter.samples).toBeLessThan(600)
  expect(meter.rates(100_000).recordsPerSecond).toBeCloseTo(50, 0)
})

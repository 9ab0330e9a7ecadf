import { describe, expect, test } from 'vitest'
import { handle, LoginCounts } from '../../bench/login-loop.ts'
import type { Sample } from '../../bench/measure.ts'
import { faultsOf } from '../../bench/outputs.ts'
import { median, reportOf, textOf } from '../../bench/summary.ts'
import { createGenerator } from '../../cli/generator.ts'
import { isCounts } from '../../pipelines/api/aggregates.ts'
import { eventTimeOf, prepare } from '../../pipelines/api/execute.ts'
import { pipeline } from '../../pipelines/bench-login/pipeline.ts'

const NOW = Date.UTC(2026, 2, 1, 12)
const prepared = await prepare(pipeline)
const input = {
  key: null,
  headers: [],
  timestamp: NOW,
  origin: { topic: 'bench-login', partition: 0, offset: 0 },
  now: NOW,
  attempt: 1,
  signal: new AbortController().signal,
}
const run = (value: Buffer) => prepared.run(value, 0, value.length, input)

const records = (corrupt: number): Buffer[] => {
  const generator = createGenerator({ seed: 7, corrupt, now: () => NOW - 90_000 })
  return Array.from({ length: 2000 }, () => generator.next().value)
}

describe('the plain loop and the pipeline do equal work', () => {
  test('the same outputs, byte for byte', async () => {
    for (const value of records(0))
      expect(handle(value, NOW)).toMatchObject({ json: ((await run(value)) as { json: string }).json })
  })

  test('the same records are dead letters', async () => {
    const dead = []
    for (const value of records(1)) {
      const result = await run(value)
      expect({ value: String(value), dead: 'code' in handle(value, NOW) }).toEqual({
        value: String(value),
        dead: result.outcome === 'dead',
      })
      dead.push(result.outcome)
    }
    expect(new Set(dead)).toEqual(new Set(['dead']))
  })

  test('the same counts by device type and locale', async () => {
    const counts = new LoginCounts()
    const folder = prepared.folder({ watermark: 0, now: NOW })
    for (const value of records(0)) {
      const handled = handle(value, NOW)
      const result = await run(value)
      if ('login' in handled) counts.add(handled.login)
      if (result.outcome === 'done') folder.add(result.value, eventTimeOf(pipeline, result.value, NOW))
    }
    const { windows } = folder.take()
    for (const [field, aggregate] of [
      ['device_type', 'logins_by_device_type'],
      ['locale', 'logins_by_locale'],
    ] as const) {
      const window = windows.find((one) => one.aggregate === aggregate)
      if (window === undefined || !isCounts(window.value)) throw new Error(`${aggregate} was not counted`)
      const { labels, counts: numbers } = window.value
      expect(counts.total(field)).toEqual(Object.fromEntries(labels.map((label, i) => [label, numbers[i]])))
    }
  })
})

describe('the verdict', () => {
  const expected = { records: 3, device_type: { iOS: 3 }, locale: { CA: 1, NY: 2 } }

  test('none where everything is there', () => {
    expect(faultsOf(expected, expected, expected)).toEqual([])
  })

  test('work left out is named', () => {
    const written = { records: 2, device_type: { iOS: 2 }, locale: { CA: 1, NY: 2 } }
    const counted = { device_type: { iOS: 3 }, locale: { CA: 1, NY: 2, TX: 1 } }
    expect(faultsOf(expected, written, counted)).toEqual([
      '2 outputs of 3 records',
      'outputs differ by device_type',
      'own counts differ by locale',
    ])
  })
})

describe('the summary', () => {
  const sample = (system: Sample['system'], recordsPerSecond: number, cpu: number): Sample => ({
    system,
    round: 1,
    recordsPerSecond,
    cpu,
    brokerCpu: undefined,
    startCpuSeconds: 1,
    peakMb: 300,
    seconds: 1,
    load: 0,
  })

  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[5], 5],
  ])('the median of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle)
  })

  test('takes the medians and their ratio', () => {
    const samples = [
      sample('millrace', 200, 4),
      sample('loop', 100, 10),
      sample('millrace', 900, 5),
      sample('loop', 50, 20),
      sample('millrace', 300, 3),
      sample('loop', 150, 5),
    ]
    const report = reportOf(1000, 3, samples, [])
    expect(report.ratio).toEqual({ rate: 3, cpu: 0.4 })
    expect(textOf(report)).toContain('3.00 x the rate, 0.40 x the CPU')
  })

  test('one system alone has no ratio, and faults are shown', () => {
    const report = reportOf(1000, 1, [sample('loop', 100, 10)], ['loop, round 1: 2 outputs of 3 records'])
    expect(report.ratio).toBeUndefined()
    expect(textOf(report)).toContain('FAULT loop, round 1: 2 outputs of 3 records')
  })
})

/** Events and measures as Prometheus reads them, by the real exporter. */
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { describe, expect, test } from 'vitest'
import { EventBus } from '../../cluster/events.ts'
import type { SlotMeasures } from '../../cluster/measures.ts'
import { boundedLabel } from '../../telemetry/bounded.ts'
import { countEvents, declareWorker } from '../../telemetry/counting.ts'
import { Instruments } from '../../telemetry/instruments.ts'
import { metrics } from '../../telemetry/metrics.ts'
import { ObservedMetrics } from '../../telemetry/observed.ts'
import { observeCoordinator, observeProcess, observeSink, observeWorker } from '../../telemetry/observing.ts'
import { batch } from './batches.ts'

const world = (pipeline?: string) => {
  const observed = new ObservedMetrics('test')
  const exporter = new PrometheusExporter({
    ...{ preventServerStart: true, withoutScopeInfo: true, metricProducers: [observed] },
  })
  const provider = new MeterProvider({ readers: [exporter] })
  const instruments = new Instruments(
    provider.getMeter('test'),
    observed,
    pipeline === undefined ? {} : { pipeline },
  )
  const events = new EventBus()
  countEvents(events, instruments)
  const page = (): Promise<string> =>
    new Promise((resolve) => {
      const response = { statusCode: 200, setHeader: () => response, end: resolve }
      exporter.getMetricsRequestHandler({} as never, response as never)
    })
  /** Value of the sample whose labels are exactly these. */
  const sample = async (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const line = (await page()).split('\n').find((one) => {
      const [, found, inside = ''] = /^([a-z_]+)(?:\{(.*)\})? /.exec(one) ?? []
      return (
        found === name && inside.split(',').filter(Boolean).toSorted().join() === wanted.toSorted().join()
      )
    })
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }
  return { events, instruments, page, sample }
}

const slot = (more: Partial<SlotMeasures> = {}): SlotMeasures => ({
  ...{ slot: 3, state: 'running', halt: undefined, mailbox: { records: 20, bytes: 2000 } },
  partitions: [
    {
      ...{ partition: 3, next: 100, lag: 7, behindMs: 1500 },
      counters: { done: 80, dead: 10, dropped: 5, late: 2, parked: 5 },
    },
  ],
  paused: { mailbox: 2000, parked: 0 },
  ...more,
})

const everything = () => {
  const all = world('p')
  const { events, instruments } = all
  declareWorker(instruments)
  observeWorker(instruments, {
    measures: () => ({
      slots: [slot(), slot({ slot: 4, state: 'halted', halt: 'position-gap', partitions: [] })],
      pool: { threads: 2, busy: 1, queued: 3 },
    }),
    ...{ appliedEpoch: () => 9, restarts: 1, budget: 5 },
  })
  observeCoordinator(instruments, {
    ...{ leading: () => true, term: () => 4, noeviction: () => true, workers: () => [{ pipeline: 'p' }] },
    plans: () => [{ pipeline: 'p', epoch: 9, owners: ['a', 'b', null, null], releasing: { 2: {} } }],
  })
  const source = { index: 'i', documents: () => 5, rejected: () => 1, heldBytes: () => 7, lag: () => 2 }
  observeSink(instruments, source)
  observeProcess(instruments, { role: 'worker', version: '1', id: 'w' })()
  const codes = [{ outcome: 'dead', code: 'not-json', records: 2 }] as const
  events.emit('batchCommitted', batch({ codes, attempts: [3], untraced: 4 }))
  events.emit('committed', {
    ...{ slot: 3, records: 10, done: 8, dead: 2, dropped: 0, late: 0, parked: 0 },
    ...{ bytes: 5000, ms: 20, concurrentRetries: 1 },
  })
  events.emit('claimed', { slot: 3, epoch: 1, restoredRecords: 0, ms: 30 })
  events.emit('viewsPublished', { slot: 3, windows: 2, ms: 5 })
  events.emit('planned', { pipeline: 'p', epoch: 9, slots: 4, owned: 2, releasing: 1, workers: 1, moved: 1 })
  events.emit('alert', { pipeline: 'p', errorClass: 'parsing', count: 5, at: 5 })
  return all
}

describe('metrics', () => {
  test('each declared one is there, under its name and with its labels', async () => {
    const page = await everything().page()
    for (const [name, { kind, labels, doc }] of Object.entries(metrics)) {
      const type = kind === 'observed-counter' ? 'counter' : kind
      expect(page, name).toContain(`# TYPE ${name} ${type}\n`)
      expect(page, name).toContain(`# HELP ${name} ${doc}\n`)
      const samples = page
        .split('\n')
        .filter((line) => line.startsWith(`${name}${type === 'histogram' ? '_count' : ''}`))
      expect(samples.length, name).toBeGreaterThan(0)
      for (const line of samples) {
        const found = [...line.matchAll(/([a-z_]+)="/g)].map(([, label]) => label)
        expect(found.toSorted(), line).toEqual([...labels].toSorted())
      }
    }
    const declared = new Set(Object.keys(metrics))
    const told = [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
    expect(told.filter((name) => name !== 'target_info' && !declared.has(name))).toEqual([])
  })

  test('numbers of a partition are those of the state, absolute', async () => {
    const { sample } = everything()
    const place = { pipeline: 'p', partition: '3' }
    expect(await sample('millrace_records_total', { ...place, outcome: 'done' })).toBe(80)
    expect(await sample('millrace_records_total', { ...place, outcome: 'drop' })).toBe(5)
    expect(await sample('millrace_lag_records', place)).toBe(7)
    expect(await sample('millrace_behind_seconds', place)).toBe(1.5)
    expect(await sample('millrace_halted_slots', { pipeline: 'p', code: 'position-gap' })).toBe(1)
    expect(
      await sample('millrace_paused_seconds_total', { pipeline: 'p', slot: '3', reason: 'mailbox' }),
    ).toBe(2)
  })

  test('outcomes are counted by code and run, stages in seconds', async () => {
    const { sample } = everything()
    const first = { pipeline: 'p', run: 'first' }
    expect(await sample('millrace_outcomes_total', { ...first, outcome: 'done', code: '' })).toBe(10)
    expect(await sample('millrace_outcomes_total', { ...first, outcome: 'dead', code: 'not-json' })).toBe(2)
    expect(await sample('millrace_stage_seconds_sum', { pipeline: 'p', stage: 'run' })).toBeCloseTo(0.05, 5)
    expect(await sample('millrace_stage_seconds_sum', { pipeline: 'p', stage: 'pool' })).toBeCloseTo(0.02, 5)
  })

  test('what has not happened yet is 0, so that a first event shows as a rise', async () => {
    const { instruments, sample } = world('p')
    declareWorker(instruments)
    expect(await sample('millrace_fenced_total', { pipeline: 'p' })).toBe(0)
    expect(await sample('millrace_thread_deaths_total', { pipeline: 'p', cause: 'timeout' })).toBe(0)
  })

  test('what is no longer there is no longer told: a slot that has moved, a state that is over', async () => {
    const { instruments, sample, page } = world('p')
    let slots: readonly SlotMeasures[] = [slot({ state: 'halted', halt: 'kafka-auth' })]
    observeWorker(instruments, {
      measures: () => ({ slots, pool: { threads: 1, busy: 0, queued: 0 } }),
      ...{ appliedEpoch: () => 1, restarts: 0, budget: 5 },
    })
    expect(await sample('millrace_slot_state', { pipeline: 'p', slot: '3', state: 'halted' })).toBe(1)
    slots = [slot()]
    expect(await sample('millrace_slot_state', { pipeline: 'p', slot: '3', state: 'halted' })).toBeUndefined()
    expect(await page()).not.toMatch(/^millrace_halted_slots\{/m)
    slots = []
    expect(await page()).not.toMatch(/^millrace_(lag_records|records_total|mailbox_bytes)\{/m)
  })

  test('thousands of partitions are all told', async () => {
    const { instruments, page } = world('p')
    const [first] = slot().partitions
    const many = Array.from({ length: 3000 }, (_, partition) => ({ ...first, partition }))
    observeWorker(instruments, {
      measures: () => ({
        slots: [slot({ partitions: many as SlotMeasures['partitions'] })],
        pool: { threads: 1, busy: 0, queued: 0 },
      }),
      ...{ appliedEpoch: () => 1, restarts: 0, budget: 5 },
    })
    expect((await page()).match(/^millrace_records_total\{/gm)).toHaveLength(9000)
  })

  test('slots of a plan are owned, releasing or unowned', async () => {
    const { sample } = everything()
    const of = (state: string) => sample('millrace_planned_slots', { pipeline: 'p', state })
    expect([await of('owned'), await of('releasing'), await of('unowned')]).toEqual([2, 1, 1])
  })
})

test('codes beyond the bound count together', () => {
  const label = boundedLabel(2)
  expect(['a', 'b', 'c', 'a', 'd'].map(label)).toEqual(['a', 'b', '(other)', 'a', '(other)'])
})

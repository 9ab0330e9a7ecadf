import { expect, test } from 'vitest'
import { probesOf } from '../../cli/worker-telemetry.ts'
import { slotReportOf } from '../support/reports.ts'

const STALL_MS = 90_000

const probes = ({
  epoch = 3,
  reports = [slotReportOf(0)],
  still = [] as [number, number][],
  away = 0,
} = {}) =>
  probesOf(
    { worker: { report: () => reports, still: () => new Map(still), kafkaAwayMs: () => away } },
    () => epoch || undefined,
    STALL_MS,
  )

test('a worker is ready once it has a plan and every slot of it runs and moves', () => {
  expect(probes().ready()).toEqual({ ok: true, why: '' })
  expect(probes({ epoch: 0 }).ready()).toEqual({ ok: false, why: 'no plan yet' })
  const reports = [
    slotReportOf(0),
    slotReportOf(1, { state: 'halted', reason: 'state-lost: gone' }),
    slotReportOf(2, { state: 'claiming' }),
  ]
  const why = 'slot 1 is halted: state-lost: gone; slot 2 is claiming'
  expect(probes({ reports }).ready()).toEqual({ ok: false, why })
})

test('a slot that has not moved for half the stall timeout makes it unready, and so does Kafka being away for as long', () => {
  expect(probes({ still: [[0, 40_000]], away: 40_000 }).ready().ok).toBe(true)
  expect(probes({ still: [[0, 50_000]] }).ready().why).toBe('slot 0 has not moved for 50 s')
  expect(probes({ away: 50_000 }).ready().why).toBe('Kafka is away')
})

test('it is alive for as long as it answers, whatever its slots do', () => {
  const reports = [slotReportOf(0, { state: 'halted', reason: 'state-lost: gone' })]
  expect(probes({ reports, still: [[0, 500_000]], away: 500_000 }).healthy()).toEqual({ ok: true, why: '' })
})

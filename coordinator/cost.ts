/**
 * What a slot costs, measured: CPU ms per second, and a weight for its lag in seconds of its own pace (a slot that is
 * behind wants more than it gets). Smoothed, so that the plan sees a trend and not a moment. Pure.
 */
import type { SlotReport, WorkerReport } from '../cluster/protocol/plan.ts'

const LAG_SECOND = 5
const MOST_LAG_SECONDS = 60
const SMOOTHING_MS = 20_000

export const costOf = (report: SlotReport): number => {
  const lag = report.partitions.reduce((sum, partition) => sum + Math.max(0, partition.lag), 0)
  const lagSeconds = Math.min(MOST_LAG_SECONDS, lag / Math.max(1, report.recordsPerSecond))
  return Math.max(0, report.cpuMsPerSecond) + LAG_SECOND * lagSeconds
}

/** A slot that nobody reports keeps its cost. */
export const nextCosts = (
  previous: readonly number[],
  slots: number,
  reports: readonly WorkerReport[],
  elapsedMs: number,
): readonly number[] => {
  const costs = Array.from({ length: slots }, (_, slot) => previous[slot] ?? 0)
  const share = 1 - Math.exp(-elapsedMs / SMOOTHING_MS)
  for (const report of reports.flatMap((worker) => worker.owned)) {
    const before = costs[report.slot]
    if (before === undefined || report.state !== 'running') continue
    const known = previous[report.slot] !== undefined
    costs[report.slot] = before + (known ? share : 1) * (costOf(report) - before)
  }
  return costs
}

/** Reports of workers for tests. */
import { PROTOCOL } from '../../cluster/protocol/negotiation.ts'
import type { SlotReport, WorkerReport } from '../../cluster/protocol/plan.ts'

export const slotReportOf = (slot: number, over: Partial<SlotReport> = {}): SlotReport => ({
  slot,
  state: 'running',
  reason: '',
  epoch: 1,
  partitions: [],
  recordsPerSecond: 100,
  cpuMsPerSecond: 100,
  counters: { done: 0, dead: 0, dropped: 0, late: 0, parked: 0 },
  ...over,
})

export const reportOf = (
  worker: string,
  owned: readonly number[] = [],
  over: Partial<WorkerReport> = {},
): WorkerReport => ({
  version: PROTOCOL.newest,
  worker,
  pipeline: 'p',
  slots: 4,
  host: 'h',
  pid: 1,
  startedAt: 0,
  appliedEpoch: 0,
  draining: false,
  owned: owned.map((slot) => slotReportOf(slot)),
  ...over,
})

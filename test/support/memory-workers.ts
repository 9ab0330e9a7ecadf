/** The roster port in memory, on any clock. */
import type { Clock } from '../../cluster/actor/clock.ts'
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import { rosterOf, type Workers } from '../../cluster/redis/workers.ts'

export interface MemoryWorkers extends Workers {
  wipe(): void
  /** While away every call rejects. */
  away: boolean
}

export const memoryWorkers = (clock: Clock): MemoryWorkers => {
  const reports = new Map<string, { readonly report: WorkerReport; readonly until: number }>()
  const left = new Set<string>()
  let wipes = 0
  const reach = () => {
    if (workers.away) throw new Error('Redis is away')
  }
  const workers: MemoryWorkers = {
    away: false,
    async renew(report, ttlMs) {
      reach()
      reports.set(report.worker, { report, until: clock.now() + ttlMs })
      left.delete(report.worker)
    },
    async leave(worker) {
      reach()
      reports.delete(worker)
      left.add(worker)
    },
    async read() {
      reach()
      const found = [...reports.values()].filter(({ until }) => until > clock.now())
      const roster = rosterOf(found.map(({ report }) => report))
      return { generation: `generation ${wipes}`, ...roster, left: new Set(left) }
    },
    wipe() {
      reports.clear()
      left.clear()
      wipes += 1
    },
  }
  return workers
}

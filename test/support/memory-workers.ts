/** The roster port in memory, on any clock. */
import type { Clock } from '../../cluster/actor/clock.ts'
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import type { Workers } from '../../cluster/redis/workers.ts'

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
      const live = [...reports.values()]
        .filter(({ until }) => until > clock.now())
        .map(({ report }) => report)
      live.sort((a, b) => (a.worker < b.worker ? -1 : 1))
      return { generation: `generation ${wipes}`, live, left: new Set(left) }
    },
    wipe() {
      reports.clear()
      left.clear()
      wipes += 1
    },
  }
  return workers
}

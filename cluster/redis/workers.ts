/** Who lives: each worker's lease is its report under a time to live. Reports of a protocol version that is not read here are left out. */
import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { PROTOCOL, type Protocol } from '../protocol/negotiation.ts'
import type { WorkerReport } from '../protocol/plan.ts'
import { parseReport } from '../protocol/report.ts'
import type { Keys } from './keys.ts'
import { runScript, scripts } from './scripts.ts'

export interface Roster {
  /** A changed one tells that Redis was emptied: nobody's absence means anything yet. */
  readonly generation: string
  readonly live: readonly WorkerReport[]
  /** Those that run without a coordinator. */
  readonly solo: readonly WorkerReport[]
  /** Workers that left by themselves: they hold nothing. */
  readonly left: ReadonlySet<string>
}

export interface Workers {
  renew(report: WorkerReport, ttlMs: number): Promise<void>
  leave(worker: string): Promise<void>
  read(): Promise<Roster>
}

const REMEMBER_LEFT_MS = 7 * 24 * 3_600_000

/** @param protocol versions that are read */
export const redisWorkers = (redis: Redis, keys: Keys, protocol: Protocol = PROTOCOL): Workers => ({
  async renew(report, ttlMs) {
    const own = [keys.worker(report.worker), keys.workers, keys.left]
    await runScript(redis, scripts.workerRenew, own, [report.worker, JSON.stringify(report), ttlMs])
  },
  async leave(worker) {
    const own = [keys.worker(worker), keys.workers, keys.left]
    await runScript(redis, scripts.workerLeave, own, [worker, REMEMBER_LEFT_MS])
  },
  async read() {
    const own = [keys.workers, keys.left, keys.generation]
    const reply = await runScript(redis, scripts.workersRead, own, [keys.workerPrefix, randomUUID()])
    const [generation, reports, left] = reply as [string, string[], string[]]
    const all = reports.flatMap((text) => parseReport(text, protocol) ?? [])
    return { generation, ...rosterOf(all), left: new Set(left) }
  },
})

/** By name. */
export const rosterOf = (reports: readonly WorkerReport[]): Pick<Roster, 'live' | 'solo'> => {
  const sorted = reports.toSorted((a, b) => (a.worker < b.worker ? -1 : 1))
  return {
    live: sorted.filter(({ solo }) => solo !== true),
    solo: sorted.filter(({ solo }) => solo === true),
  }
}

/** What machines may ask a worker: its metrics, whether it lives, whether it does what the plan says. */
import { keysOf } from '../cluster/redis/keys.ts'
import type { Settings } from '../cluster/settings.ts'
import { observeWorker } from '../telemetry/observing.ts'
import type { Probes } from '../telemetry/probes.ts'
import type { Host } from './host.ts'
import { announce, type Subject, type Telemetry } from './telemetry.ts'

export interface WatchedWorker {
  readonly settings: Settings
  readonly telemetry: Telemetry
  readonly host: Host
  readonly subject: Subject
  /** Undefined before it has been told which slots are its own. */
  readonly appliedEpoch: () => number | undefined
  /** Times that the process was started again. */
  readonly restarts: number
  /** Among the processes of its supervisor. */
  readonly index: number
}

/** @returns takes its place in the discovery back */
export const watchWorker = async (watched: WatchedWorker): Promise<AsyncDisposable> => {
  const { settings, telemetry, host, subject, appliedEpoch, restarts, index } = watched
  telemetry.trace(host.names.input, host.names.group)
  if (telemetry.instruments !== undefined)
    observeWorker(telemetry.instruments, {
      measures: () => host.worker.measures(),
      appliedEpoch: () => appliedEpoch() ?? 0,
      restarts,
      budget: settings.restarts,
    })
  const address = await telemetry.serve(probesOf(host, appliedEpoch), index)
  const place = { redis: host.redis, keys: keysOf(settings.clusterId), leaseMs: settings.lease }
  return announce(place, subject, address)
}

/** Ready: it has a plan, and every slot that the plan gives it is read. */
const probesOf = (host: Host, appliedEpoch: WatchedWorker['appliedEpoch']): Probes => ({
  healthy: () => ({ ok: true, why: '' }),
  ready: () => {
    if (appliedEpoch() === undefined) return { ok: false, why: 'no plan yet' }
    const waiting = host.worker.report().filter(({ state }) => state !== 'running')
    const why = waiting.map(({ slot, state, reason }) => `slot ${slot} is ${state}${reason && `: ${reason}`}`)
    return { ok: waiting.length === 0, why: why.join('; ') }
  },
})

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
  const address = await telemetry.serve(probesOf(host, appliedEpoch, settings.stallTimeout), index)
  const place = { redis: host.redis, keys: keysOf(settings.clusterId), leaseMs: settings.lease }
  return announce(place, subject, address)
}

/** Alive: its loop turns. Ready: it has registered, and every slot that the plan gives it runs and moves. */
export const probesOf = (
  { worker }: { readonly worker: Pick<Host['worker'], 'report' | 'still' | 'kafkaAwayMs'> },
  appliedEpoch: WatchedWorker['appliedEpoch'],
  stallTimeout: number,
): Probes => ({
  healthy: () => ({ ok: true, why: '' }),
  ready: () => {
    if (appliedEpoch() === undefined) return { ok: false, why: 'no plan yet' }
    const waiting = worker.report().filter(({ state }) => state !== 'running')
    const still = [...worker.still()].filter(([, ms]) => ms > stallTimeout / 2)
    const why = [
      ...waiting.map(({ slot, state, reason }) => `slot ${slot} is ${state}${reason && `: ${reason}`}`),
      ...still.map(([slot, ms]) => `slot ${slot} has not moved for ${Math.round(ms / 1000)} s`),
      ...(worker.kafkaAwayMs() > stallTimeout / 2 ? ['Kafka is away'] : []),
    ]
    return { ok: why.length === 0, why: why.join('; ') }
  },
})

/** What machines may ask a coordinator: its metrics, whether it lives and sees the cluster, and where the metrics of all others are. */
import type { Redis } from 'ioredis'
import { pause } from '../cluster/kafka/failures.ts'
import type { Keys } from '../cluster/redis/keys.ts'
import { type ProcessFacts, readProcesses } from '../cluster/redis/processes.ts'
import type { Settings } from '../cluster/settings.ts'
import type { Coordinator } from '../coordinator/coordinator.ts'
import { isAlive, isReady } from '../coordinator/http.ts'
import { observeCoordinator } from '../telemetry/observing.ts'
import type { Probes, Verdict } from '../telemetry/probes.ts'
import { announce, type Telemetry } from './telemetry.ts'

export interface WatchedCoordinator {
  readonly settings: Settings
  readonly redis: Redis
  readonly keys: Keys
  readonly id: string
  readonly telemetry: Telemetry
  readonly coordinator: Coordinator
}

/** Its metrics and probes, where Prometheus finds them. */
export const watchCoordinator = async (watched: WatchedCoordinator): Promise<AsyncDisposable> => {
  const { settings, redis, keys, id, telemetry, coordinator } = watched
  await using begun = new AsyncDisposableStack()
  const policy = begun.use(watchPolicy(redis))
  if (telemetry.instruments !== undefined)
    observeCoordinator(telemetry.instruments, {
      leading: () => coordinator.status().leading,
      term: () => coordinator.status().term ?? 0,
      plans: () => coordinator.status().plans,
      workers: () => coordinator.status().workers,
      noeviction: policy.isNoeviction,
    })
  const address = await telemetry.serve(coordinatorProbes(coordinator.status))
  const subject = { role: 'coordinator', id } as const
  begun.use(announce({ redis, keys, leaseMs: settings.lease }, subject, address))
  return begun.move()
}

const coordinatorProbes = (status: Coordinator['status']): Probes => ({
  healthy: () => verdictOf(isAlive(status()), 'its loop stands still'),
  ready: () => verdictOf(isReady(status()), 'it does not see the cluster'),
})

const verdictOf = (ok: boolean, why: string): Verdict => ({ ok, why: ok ? '' : why })

const POLICY_MS = 30_000

/** Any other policy than `noeviction` may throw jobs of the retry queue away: people hear of it. */
const watchPolicy = (redis: Redis) => {
  const stop = new AbortController()
  let isNoeviction: boolean | undefined
  const look = async () => {
    while (!stop.signal.aborted) {
      const memory = await redis.info('memory').catch(() => '')
      const [, policy] = /^maxmemory_policy:(\S+)/m.exec(memory) ?? []
      isNoeviction = policy === undefined ? undefined : policy === 'noeviction'
      await pause(POLICY_MS, stop.signal)
    }
  }
  const looking = look()
  return {
    isNoeviction: () => isNoeviction,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await looking
    },
  }
}

/** @throws where Redis is away */
export const targetsOf = async (redis: Redis, keys: Keys): Promise<readonly object[]> =>
  (await readProcesses(redis, keys)).map(targetOf)

/** As Prometheus' http_sd wants it. */
const targetOf = ({ role, id, address, pipeline }: ProcessFacts) => ({
  targets: [address],
  labels: {
    millrace_role: role,
    millrace_process: id,
    ...(pipeline !== undefined && { millrace_pipeline: pipeline }),
  },
})

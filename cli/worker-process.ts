/**
 * Entry of a worker process, forked by its supervisor: registers, follows the plan, hosts the shards. Its id stays the
 * same over restarts, and so does its last plan, so that it resumes its slots at once, even without Redis.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { MillraceError } from '../cluster/errors.ts'
import { EventBus } from '../cluster/events.ts'
import { kafkaPlanSource } from '../cluster/kafka/plan-log.ts'
import { clusterTopic } from '../cluster/protocol/names.ts'
import { type PlanRecord, PROTOCOL_VERSION, type WorkerReport } from '../cluster/protocol/plan.ts'
import type { Settings } from '../cluster/settings.ts'
import { type ChildStart, startedByParent } from '../workers/child.ts'
import type { Membership } from '../workers/membership.ts'
import { followPlan, type PlanFollower } from '../workers/plan-follower.ts'
import { connectedSettings } from './connect.ts'
import { failureOf } from './failure.ts'
import { type Host, hostWorker } from './host.ts'
import { logEvents } from './log.ts'
import { note } from './output.ts'
import { register } from './register.ts'

/** What a supervisor keeps of a worker for its successor. */
interface Kept {
  readonly worker: string
  readonly plan?: PlanRecord
}

const main = async (start: ChildStart): Promise<void> => {
  const settings = await connectedSettings(['input', 'home', 'redis'])
  const kept = (start.kept as Kept | undefined) ?? { worker: `${hostname()}-${randomUUID().slice(0, 8)}` }
  start.keep(kept)
  const { worker } = kept
  const events = new EventBus()
  logEvents(events, settings.logLevel, worker, note)
  let membership: Membership | undefined
  const mayFence = () => membership?.mayFence() ?? false
  const host = await hostWorker(settings, {
    pipeline: settings.pipeline,
    worker,
    env: process.env,
    events,
    mayFence,
  })
  let draining = false
  let follower: PlanFollower | undefined
  const report = (): WorkerReport => ({
    ...facts(host, settings),
    ...host.writer,
    draining,
    appliedEpoch: follower?.appliedEpoch() ?? 0,
  })
  membership = await register(host, { events, leaseMs: settings.lease, report })
  const end = (error: unknown) => endWith(start, error)
  host.worker.failed.catch(end)
  follower = followPlan({
    source: kafkaPlanSource({
      topology: host.home,
      topic: clusterTopic(settings.topicPrefix),
      notice: (detail) => events.emit('skipped', { detail }),
    }),
    pipeline: host.name,
    worker,
    last: kept.plan,
    keep: (plan) => start.keep({ worker, plan } satisfies Kept),
    apply: (epoch, slots) => host.worker.apply(epoch, slots),
    applied: () => membership?.tell(),
    ordered: (order) => host.worker.flush(order),
    onFailure: (error) => end(error),
  })
  start.ready()
  await aborted(start.signal)
  draining = true
  const deadline = setTimeout(
    () => end(new MillraceError('timeout', `the drain took longer than ${settings.grace} ms`)),
    settings.grace,
  )
  await follower.stop()
  await host.worker.stop()
  await membership.stop()
  await host.close()
  clearTimeout(deadline)
}

const facts = (host: Host, settings: Settings) => ({
  version: PROTOCOL_VERSION,
  slots: host.slots,
  host: hostname(),
  pid: process.pid,
  owned: host.worker.report(),
  capacity: settings.threads,
})

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  )

const endWith = (start: ChildStart, error: unknown): never => {
  const failure = failureOf(error)
  start.failed(error instanceof MillraceError ? error.code : 'internal', failure.line)
  process.exit(failure.exitCode)
}

const start = await startedByParent()
try {
  await main(start)
  process.exit(0)
} catch (error) {
  endWith(start, error)
}

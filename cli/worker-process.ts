/**
 * Entry of a worker process, forked by its supervisor: registers, follows the plan, hosts the shards. Its id stays the
 * same over restarts, and so does its last plan, so that it resumes its slots at once, even without Redis.
 */
import { randomUUID } from 'node:crypto'
import { flushCompileCache } from 'node:module'
import { hostname } from 'node:os'
import { MillraceError } from '../cluster/errors.ts'
import { EventBus } from '../cluster/events.ts'
import { pause } from '../cluster/kafka/failures.ts'
import { kafkaPlanSource } from '../cluster/kafka/plan-log.ts'
import { clusterTopic } from '../cluster/protocol/names.ts'
import { PROTOCOL } from '../cluster/protocol/negotiation.ts'
import type { Order } from '../cluster/protocol/orders.ts'
import { isUnread, type PlanRecord, type WorkerReport } from '../cluster/protocol/plan.ts'
import type { PlanSource } from '../cluster/protocol/plan-log.ts'
import type { Settings } from '../cluster/settings.ts'
import { loadPipeline } from '../pipelines/api/load.ts'
import { samplingOf } from '../telemetry/sampling.ts'
import { type ChildStart, startedByParent } from '../workers/child.ts'
import type { Membership } from '../workers/membership.ts'
import { followPlan, type PlanFollower } from '../workers/plan-follower.ts'
import { connectedSettings } from './connect.ts'
import { failureOf } from './failure.ts'
import { type Host, hostWorker } from './host.ts'
import { register } from './register.ts'
import { startTelemetry } from './telemetry.ts'
import { watchWorker } from './worker-telemetry.ts'

/** What a supervisor keeps of a worker for its successor. */
interface Kept {
  readonly worker: string
  /** Times that it was started again. */
  readonly restarts: number
  readonly plan?: PlanRecord
}

const keptFrom = (predecessor: unknown): Kept => {
  if (predecessor === undefined) return { worker: `${hostname()}-${randomUUID().slice(0, 8)}`, restarts: 0 }
  const kept = predecessor as Kept
  return { ...kept, restarts: kept.restarts + 1 }
}

const takeUp = (start: ChildStart): Kept => {
  const kept = keptFrom(start.kept)
  start.keep(kept)
  return kept
}

const main = async (start: ChildStart): Promise<void> => {
  const settings = await connectedSettings(['input', 'home', 'redis'])
  const { worker, restarts, plan: last } = takeUp(start)
  const events = new EventBus()
  let membership: Membership | undefined
  const mayFence = () => membership?.mayFence() ?? false
  const { pipeline } = await loadPipeline(settings.pipeline)
  const subject = { role: 'worker', id: worker, pipeline: pipeline.name } as const
  const [telemetry, host] = await Promise.all([
    startTelemetry(settings, subject, events),
    hostWorker(settings, {
      pipeline: settings.pipeline,
      worker,
      env: process.env,
      events,
      resumes: last !== undefined,
      mayFence,
      sampling: samplingOf(process.env),
    }),
  ])
  let draining = false
  let follower: PlanFollower | undefined
  const report = (): WorkerReport => ({
    ...facts(host, settings, follower),
    ...host.writer,
    draining,
  })
  // Before it joins: what keeps the port from being opened must not cost anybody a slot.
  const appliedEpoch = () => follower?.appliedEpoch() || undefined
  const { index } = start
  const watched = await watchWorker({ settings, telemetry, host, subject, appliedEpoch, restarts, index })
  membership = await register(host, { events, leaseMs: settings.lease, report })
  const end = (error: unknown) => endWith(start, error)
  host.worker.failed.catch(end)
  const notice = (detail: string) => events.emit('skipped', { detail })
  const source = planSourceOf(host, settings, notice)
  follower = followPlan({
    source,
    pipeline: host.name,
    worker,
    slots: host.slots,
    notice,
    last: await newestPlan(source, host.name, last),
    keep: (plan) => start.keep({ worker, restarts, plan } satisfies Kept),
    apply: (epoch, slots, paused) => host.worker.apply(epoch, slots, paused),
    applied: () => membership?.tell(),
    ordered: (order) => obey(host, order),
    onFailure: (error) => end(error),
  })
  start.ready()
  // By itself Node writes it at an orderly end: a worker that was killed would be compiled again.
  flushCompileCache()
  await aborted(start.signal)
  draining = true
  const deadline = setTimeout(
    () => end(new MillraceError('timeout', `the drain took longer than ${settings.grace} ms`)),
    settings.grace,
  )
  await follower.stop()
  await host.worker.stop()
  await membership.stop()
  await watched[Symbol.asyncDispose]()
  await host.close()
  clearTimeout(deadline)
  // Whoever collects may be away: that is no part of the drain.
  await telemetry[Symbol.asyncDispose]()
}

/** The others are the leader's to take up: they come with a plan. */
const obey = ({ worker }: Host, order: Order): void => {
  if (order.act.kind === 'flush') worker.flush(order)
}

const planSourceOf = (
  { home }: Host,
  { topicPrefix }: Settings,
  notice: (line: string) => void,
): PlanSource => kafkaPlanSource({ topology: home, topic: clusterTopic(topicPrefix), notice })

/** Where nobody leads the plan log, the slots' own topics may well be led. */
const PATIENCE_MS = 3000

/** To resume under a plan that is out of date would fence whoever owns the slots since: what was kept serves where Kafka's log tells nothing. */
const newestPlan = async (
  source: PlanSource,
  pipeline: string,
  kept: PlanRecord | undefined,
): Promise<PlanRecord | undefined> => {
  if (kept === undefined) return undefined
  const asked = source.latest().catch(() => undefined)
  const written = (await Promise.race([asked, pause(PATIENCE_MS).then(() => undefined)]))?.get(pipeline)
  if (written === undefined || written.epoch <= kept.epoch) return kept
  return isUnread(written) ? undefined : written
}

const facts = (host: Host, settings: Settings, follower: PlanFollower | undefined) => ({
  version: follower?.version() ?? PROTOCOL.oldest,
  speaks: PROTOCOL.newest,
  appliedEpoch: follower?.appliedEpoch() ?? 0,
  slots: host.slots,
  host: hostname(),
  pid: process.pid,
  owned: host.worker.report(),
  capacity: settings.threads,
  ...(host.worker.kafkaAwayMs() > settings.lease && { kafkaAway: true }),
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

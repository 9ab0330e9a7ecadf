/**
 * Entry of the process that runs a pipeline in `dev`: a coordinator here, one worker process below. A save starts a new one, so
 * that each part of it runs what was saved.
 */
import { randomUUID } from 'node:crypto'
import { MillraceError } from '../../cluster/errors.ts'
import { EventBus } from '../../cluster/events.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import { readSettings } from '../../cluster/settings.ts'
import { type ChildStart, startedByParent } from '../../workers/child.ts'
import { hostCoordinator } from '../coordinator-host.ts'
import { failureOf } from '../failure.ts'
import { note } from '../output.ts'
import { superviseWorkers } from '../supervise-workers.ts'
import { startTelemetry } from '../telemetry.ts'

const main = async (start: ChildStart): Promise<void> => {
  const settings = readSettings(process.env)
  await using stack = new AsyncDisposableStack()
  const events = new EventBus()
  const id = `dev-${randomUUID().slice(0, 8)}`
  const telemetry = stack.use(await startTelemetry(settings, { role: 'coordinator', id }, events))
  const coordinator = stack.adopt(await hostCoordinator(settings, { id, events, telemetry }), (host) =>
    host.close(),
  )
  const workers = { processes: 1, env: process.env, say: note }
  const supervisor = stack.adopt(superviseWorkers(settings, workers), (one) => one.stop())
  const ended = Promise.race([coordinator.until(start.signal), supervisor.stopped])
  const owned = untilOwned(() => ownsAll(coordinator.coordinator.status().workers, supervisor.pids()), start)
  await Promise.race([owned, ended])
  start.ready()
  await ended
}

const LOOK_MS = 100

const untilOwned = async (isOwned: () => boolean, { signal }: ChildStart): Promise<void> => {
  while (!isOwned() && !signal.aborted) await pause(LOOK_MS, signal)
}

/** From then on every record is processed by what was saved. */
const ownsAll = (reports: readonly WorkerReport[], pids: readonly number[]): boolean =>
  reports.some(
    ({ pid, slots, owned }) =>
      pids.includes(pid) && owned.length === slots && owned.every(({ state }) => state !== 'claiming'),
  )

const start = await startedByParent()
try {
  await main(start)
  process.exit(0)
} catch (error) {
  const known = error instanceof MillraceError
  start.failed(known ? error.code : 'internal', known ? error.message : failureOf(error).line)
  process.exit(failureOf(error).exitCode)
}

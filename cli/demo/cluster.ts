/** The processes of a demo: coordinator here, worker processes under their supervisor; both stop with it. */
import { randomUUID } from 'node:crypto'
import { EventBus } from '../../cluster/events.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { Supervisor } from '../../workers/supervisor.ts'
import { type CoordinatorHost, hostCoordinator } from '../coordinator-host.ts'
import { note } from '../output.ts'
import { settingsEnv } from '../settings-env.ts'
import { superviseWorkers } from '../supervise-workers.ts'
import { startTelemetry, type Telemetry } from '../telemetry.ts'

export interface DemoCluster {
  readonly coordinator: CoordinatorHost
  /** The coordinator's. */
  readonly events: EventBus
  readonly telemetry: Telemetry
  readonly supervisor: Supervisor
  stop(): Promise<void>
}

const WORKERS = 2

/** @param secrets the pipeline's options that the demo made up, by variable */
export const startDemoCluster = async (
  settings: Settings,
  secrets: Readonly<Record<string, string>>,
): Promise<DemoCluster> => {
  const events = new EventBus()
  // The status line tells what goes well.
  const logLevel = settings.logLevel === 'info' ? 'warn' : settings.logLevel
  const id = `demo-${randomUUID().slice(0, 8)}`
  const shown = { ...settings, logLevel, logFormat: 'pretty' } as const
  const telemetry = await startTelemetry(shown, { role: 'coordinator', id }, events)
  const coordinator = await hostCoordinator(settings, { id, events, telemetry })
  const supervisor = superviseWorkers(settings, {
    say: note,
    processes: WORKERS,
    env: { ...process.env, ...secrets, ...settingsEnv(shown) },
  })
  const stop = async () => {
    await supervisor.stop()
    await coordinator.close()
    await telemetry[Symbol.asyncDispose]()
  }
  return { coordinator, events, telemetry, supervisor, stop }
}

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Command } from 'commander'
import { EventBus } from '../../cluster/events.ts'
import { requireAcls } from '../acls/preflight.ts'
import { leadingAcls } from '../acls/table.ts'
import { connectedSettings } from '../connect.ts'
import { hostCoordinator } from '../coordinator-host.ts'
import { refuseFailures } from '../inject.ts'
import { untilInterrupted } from '../interrupt.ts'
import { note } from '../output.ts'
import { QUEUES_PATH } from '../queues.ts'
import { startTelemetry } from '../telemetry.ts'

export const coordinatorCommand = (): Command =>
  new Command('coordinator')
    .description(
      'Run a coordinator: it assigns slots to workers. Of several, one leads and the others stand by.',
    )
    .action(run)

const run = async (): Promise<void> => {
  refuseFailures()
  using interrupted = untilInterrupted()
  const settings = await connectedSettings(['home', 'redis'])
  await requireAcls(settings, leadingAcls(settings.topicPrefix))
  const events = new EventBus()
  const id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
  await using telemetry = await startTelemetry(settings, { role: 'coordinator', id }, events)
  const host = await hostCoordinator(settings, { id, events, telemetry, signal: interrupted.signal })
  telemetry.say(
    `coordinator ${id} serves ${host.url}/api/status and the retry queues under ${host.url}${QUEUES_PATH}`,
  )
  // No log line: that one would be shipped with the others.
  if (host.loginLink !== undefined) note(`log in with a browser at ${host.loginLink}`)
  try {
    await host.until(interrupted.signal)
  } finally {
    await host.close()
  }
}

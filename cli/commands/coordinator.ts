import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Command } from 'commander'
import { EventBus } from '../../cluster/events.ts'
import { connectedSettings, waiting } from '../connect.ts'
import { hostCoordinator } from '../coordinator-host.ts'
import { refuseFailures } from '../inject.ts'
import { untilInterrupted } from '../interrupt.ts'
import { alertLine, alertUnsentLine, insightsLine } from '../log.ts'
import { note } from '../output.ts'
import { QUEUES_PATH } from '../queues.ts'

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
  const events = new EventBus()
  tell(events)
  const id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
  const host = await hostCoordinator(settings, { id, events, signal: interrupted.signal })
  note(`coordinator ${id} serves ${host.url}/api/status and the retry queues under ${host.url}${QUEUES_PATH}`)
  try {
    await host.until(interrupted.signal)
  } finally {
    await host.close()
  }
}

const tell = (events: EventBus): void => {
  events.on('waiting', ({ for: what, detail }) => waiting(what, detail))
  events.on('leading', ({ term }) => note(`leads (term ${term})`))
  events.on('deposed', ({ reason }) => note(`leads no more: ${reason}`))
  events.on('skipped', ({ detail }) => note(detail))
  events.on('clusterInsights', (said) => note(insightsLine(said)))
  events.on('alert', (alert) => note(`alert: ${alertLine(alert)}`))
  events.on('alertUnsent', (unsent) => note(alertUnsentLine(unsent)))
  events.on('planned', ({ pipeline, epoch, owned, releasing, workers }) =>
    note(`plan ${epoch} of ${pipeline}: ${owned} slots on ${workers} workers, ${releasing} on the move`),
  )
}

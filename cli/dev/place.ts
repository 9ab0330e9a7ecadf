/** Where a pipeline runs in `dev`: services, topics and keys of its own, that no demo and no other pipeline touches. */
import { rm } from 'node:fs/promises'
import { readSettings, type Settings, settingsTable } from '../../cluster/settings.ts'
import { devName, withAddresses } from '../connect.ts'
import { forgetGone } from '../home.ts'
import { note } from '../output.ts'
import { freePort } from '../services/ports.ts'
import { ensureServices, findServices, servicesFolder } from '../services/services.ts'
import type { Seen } from './look.ts'

export interface Place {
  readonly settings: Settings
  /** Kafka is ours and empty. */
  readonly fresh: boolean
  /** What another terminal must set to see the same; mostly nothing. */
  readonly env: string
}

/** @throws MillraceError `services` where they do not start */
export const takePlace = async (
  seen: Seen,
  options: { readonly keep?: boolean; readonly yes?: boolean },
  stack: AsyncDisposableStack,
): Promise<Place> => {
  const asked = readSettings(process.env)
  const name = devName(seen.name)
  const clear = () => rm(servicesFolder(asked, name), { recursive: true, force: true })
  const running = (await findServices(asked, { name })) !== undefined
  const keep = options.keep === true || running
  if (!keep) {
    await clear()
    stack.defer(clear)
  }
  const services = stack.adopt(
    await ensureServices(asked, { name, log: note, ...(options.yes && { yes: true }) }),
    (one) => one.stop(),
  )
  const given = asked.kafkaBrokers.length > 0
  const topicPrefix = given && asked.topicPrefix === '' ? `${name}.` : asked.topicPrefix
  const httpPort = asked.httpPort === settingsTable.httpPort.default ? await freePort() : asked.httpPort
  const logLevel = asked.logLevel === 'info' ? 'warn' : asked.logLevel
  const settings = {
    ...withAddresses(asked, services),
    pipeline: seen.url,
    topicPrefix,
    clusterId: name,
    httpPort,
    logLevel,
  } as const
  if (!keep) await forgetGone(asked, settings)
  const env = given
    ? `${settingsTable.topicPrefix.env}=${topicPrefix} ${settingsTable.clusterId.env}=${name} `
    : ''
  return { settings, fresh: !keep && !given, env }
}

/**
 * The demo: services, a coordinator, two worker processes, a generator; then drain, audit and summary.
 * On services of its own it starts afresh, on given ones it stays apart by a topic prefix and a cluster id.
 */
import { rm } from 'node:fs/promises'
import { createInput, ensureTopics } from '../../cluster/kafka/admin.ts'
import { namesOf } from '../../cluster/protocol/names.ts'
import { readSettings, type Settings, settingsTable } from '../../cluster/settings.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import { makeSecrets } from '../../pipelines/api/options.ts'
import { withAdmins } from '../admins.ts'
import { demoName } from '../connect.ts'
import { note } from '../output.ts'
import { ensureServices, findServices, servicesFolder } from '../services/services.ts'
import { startDemoCluster } from './cluster.ts'
import { Demo } from './demo.ts'
import type { Summary } from './summary.ts'

export interface DemoOptions {
  readonly pipeline?: string
  readonly count?: number
  readonly rate: number
  readonly seed?: number
  readonly missing: number
  readonly corrupt: number
  readonly echo?: boolean
  readonly keep?: boolean
  readonly yes?: boolean
}

export interface DemoResult {
  readonly summary: Summary
  readonly lines: readonly string[]
}

export const runDemo = async (options: DemoOptions, signal: AbortSignal): Promise<DemoResult> => {
  await using stack = new AsyncDisposableStack()
  const asked = readSettings(process.env)
  const { pipeline, url } = await loadPipeline(options.pipeline ?? asked.pipeline)
  const settings = await demoSettings({ ...asked, pipeline: url }, pipeline, options, stack)
  const names = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix)
  await withAdmins(settings, async (admins) => {
    await createInput(admins.input, names.input, settings)
    await ensureTopics(admins, names, settings)
  })
  const cluster = stack.adopt(await startDemoCluster(settings, makeSecrets(pipeline, process.env)), (one) =>
    one.stop(),
  )
  note(`coordinator: http://127.0.0.1:${cluster.coordinator.port}/api/status`)
  const demo = await Demo.open(settings, pipeline, names, cluster)
  stack.defer(() => demo.close())
  return await demo.run(options, signal)
}

/** Settings that point at the demo's own services, topics and keys. */
const demoSettings = async (
  asked: Settings,
  pipeline: AnyPipeline,
  options: DemoOptions,
  stack: AsyncDisposableStack,
): Promise<Settings> => {
  const name = demoName(pipeline.name)
  if (options.keep !== true && (await findServices(asked, { name })) === undefined)
    await rm(servicesFolder(asked, name), { recursive: true, force: true })
  const services = stack.adopt(
    await ensureServices(asked, { name, log: note, ...(options.yes && { yes: true }) }),
    (one) => one.stop(),
  )
  const { kafka: kafkaBrokers, home: homeBrokers, redis: redisUrl } = services
  const topicPrefix = services.kind === 'given' && asked.topicPrefix === '' ? 'demo-' : asked.topicPrefix
  const httpPort = asked.httpPort === settingsTable.httpPort.default ? 0 : asked.httpPort
  return { ...asked, kafkaBrokers, homeBrokers, redisUrl, topicPrefix, clusterId: name, httpPort }
}

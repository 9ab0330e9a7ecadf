/**
 * The demo: services, a coordinator, two worker processes, a generator; then drain, audit and summary.
 * On services of its own it starts afresh, on given ones it stays apart by a topic prefix and a cluster id.
 */
import { rm } from 'node:fs/promises'
import { createInput, ensureTopics } from '../../cluster/kafka/admin.ts'
import { namesOf } from '../../cluster/protocol/names.ts'
import type { Failures } from '../../cluster/settings/values.ts'
import { readSettings, type Settings, settingsTable } from '../../cluster/settings.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { loadPipeline } from '../../pipelines/api/load.ts'
import { makeSecrets } from '../../pipelines/api/options.ts'
import { withAdmins } from '../admins.ts'
import { demoName, withAddresses } from '../connect.ts'
import { forgetGone } from '../home.ts'
import { note } from '../output.ts'
import { QUEUES_PATH } from '../queues.ts'
import { addressesOf, ensureServices, findServices, servicesFolder } from '../services/services.ts'
import { startDemoCluster } from './cluster.ts'
import { Demo } from './demo.ts'
import type { Summary } from './summary.ts'
import { traceDemo } from './trace.ts'

export interface DemoOptions {
  readonly pipeline?: string
  readonly count?: number
  readonly rate: number
  readonly seed?: number
  readonly missing: number
  readonly corrupt: number
  readonly echo?: boolean
  readonly keep?: boolean
  /** Input on one Kafka cluster, all else on another; absent: as suits the pipeline. */
  readonly twoClusters?: boolean
  /** Failures that are made up. */
  readonly inject: Failures
  readonly yes?: boolean
}

export interface DemoResult {
  readonly summary: Summary
  readonly lines: readonly string[]
}

/** Pipelines that are there to show it. */
const showsTwoClusters: readonly string[] = ['login-defaults']

export const runDemo = async (options: DemoOptions, signal: AbortSignal): Promise<DemoResult> => {
  await using stack = new AsyncDisposableStack()
  const asked = readSettings(process.env)
  const { pipeline, url } = await loadPipeline(options.pipeline ?? asked.pipeline)
  const { inject } = options
  const settings = await demoSettings({ ...asked, pipeline: url, inject }, pipeline, options, stack)
  const names = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix)
  await withAdmins(settings, async (admins) => {
    await createInput(admins.input, names.input, settings)
    await ensureTopics(admins, names, settings)
  })
  const traces = stack.use(await traceDemo(process.env, options))
  const cluster = stack.adopt(await startDemoCluster(settings, makeSecrets(pipeline, process.env)), (one) =>
    one.stop(),
  )
  note(
    `coordinator: ${cluster.coordinator.url}/api/status, retries: ${cluster.coordinator.url}${QUEUES_PATH}`,
  )
  const demo = await Demo.open(settings, pipeline, names, cluster)
  stack.defer(() => demo.close())
  const { summary, lines } = await demo.run(options, signal)
  return { summary, lines: [...traces.lines(), ...lines] }
}

/** Settings that point at the demo's own services, topics and keys. */
const demoSettings = async (
  asked: Settings,
  pipeline: AnyPipeline,
  options: DemoOptions,
  stack: AsyncDisposableStack,
): Promise<Settings> => {
  const name = demoName(pipeline.name)
  const anew = options.keep !== true && (await findServices(asked, { name })) === undefined
  if (anew) await rm(servicesFolder(asked, name), { recursive: true, force: true })
  const twoClusters = options.twoClusters ?? showsTwoClusters.includes(pipeline.name)
  const services = stack.adopt(
    await ensureServices(asked, { name, log: note, twoClusters, ...(options.yes && { yes: true }) }),
    (one) => one.stop(),
  )
  if (twoClusters && addressesOf(services).home.length === 0)
    note('one Kafka cluster: for outputs and state on another, MILLRACE_HOME_BROKERS names it')
  const given = services.kind === 'given' || asked.kafkaBrokers.length > 0
  const topicPrefix = given && asked.topicPrefix === '' ? `${name}.` : asked.topicPrefix
  const httpPort = asked.httpPort === settingsTable.httpPort.default ? 0 : asked.httpPort
  const settings = { ...withAddresses(asked, services), topicPrefix, clusterId: name, httpPort }
  if (anew) await forgetGone(asked, settings)
  return settings
}

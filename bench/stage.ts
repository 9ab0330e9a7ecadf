/** Where the bench plays: services of its own unless the settings name some, and topics of its own that go with it. */
import { rm } from 'node:fs/promises'
import { withAdmins } from '../cli/admins.ts'
import { connectTopology } from '../cli/host.ts'
import { note } from '../cli/output.ts'
import { ensureServices, type Services, servicesFolder } from '../cli/services/services.ts'
import { createInput } from '../cluster/kafka/admin.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import { readSettings, type Settings } from '../cluster/settings.ts'
import { pipeline } from '../pipelines/bench-login/pipeline.ts'
import type { Job } from './child.ts'
import type { System } from './measure.ts'

export interface Stage {
  readonly settings: Settings
  readonly topology: Topology
  readonly input: string
  /** Process id; undefined where the broker is not of this bench. */
  readonly broker: number | undefined
  /** A name of its own for each run: state, group and outputs are fresh. */
  job(system: System, round: number, records: number): Promise<Job>
  /** Its outputs are no longer needed. */
  forget(job: Job): Promise<void>
}

const NAME = 'bench'

/** @throws MillraceError `services` where they do not start */
export const withStage = async <T>(partitions: number, use: (stage: Stage) => Promise<T>): Promise<T> => {
  const id = `${NAME}-${Date.now().toString(36)}`
  const settings = readSettings(process.env, { partitions, topicPrefix: `${id}.`, clusterId: id })
  const services = await ensureServices(settings, { name: NAME, native: true, log: note })
  const { kafka: kafkaBrokers, redis: redisUrl } = services
  const connected = { ...settings, kafkaBrokers, redisUrl }
  const topology = await connectTopology(connected, 'input', NAME)
  try {
    return await use(await stageOf(connected, services, topology))
  } finally {
    await topology.connections.close()
    if (services.kind === 'native' && !services.found) {
      await services.stop()
      await rm(servicesFolder(settings, NAME), { recursive: true, force: true })
    } else await removeTopics(connected)
  }
}

const stageOf = async (settings: Settings, services: Services, topology: Topology): Promise<Stage> => {
  const { topicPrefix, kafkaBrokers: brokers, redisUrl: redis, clusterId } = settings
  const input = `${topicPrefix}${pipeline.topics.input}`
  const make = (...topics: string[]) =>
    withAdmins(settings, async (admins) => {
      for (const topic of topics) await createInput(admins.input, topic, settings)
    })
  await make(input)
  const processes = services.kind === 'native' ? services.processes : []
  const broker = processes.find(({ name }) => name.startsWith('kafka'))?.pid
  const job = async (system: System, round: number, records: number): Promise<Job> => {
    const name = `${system}-${round}`
    const output = `${topicPrefix}${pipeline.topics.output}-${name}`
    const deadLetters = `${topicPrefix}${pipeline.topics.deadLetters}-${name}`
    await make(output, deadLetters)
    return {
      brokers,
      redis,
      clusterId,
      topicPrefix,
      input,
      output,
      deadLetters,
      name,
      records,
      follow: false,
      watched: system === 'watched',
    }
  }
  const forget = ({ output, deadLetters }: Job) =>
    withAdmins(settings, (admins) => admins.input.deleteTopics({ topics: [output, deadLetters] }))
  return { settings, topology, input, broker, job, forget }
}

const removeTopics = (settings: Settings): Promise<void> =>
  withAdmins(settings, async ({ input }) => {
    const topics = (await input.listTopics()).filter((name) => name.startsWith(settings.topicPrefix))
    await input.deleteTopics({ topics })
  })

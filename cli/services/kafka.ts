/**
 * Native Kafka: a cluster of one or more brokers on loopback, each a process of its own that can be killed and started again
 * on the same ports and data.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MillraceError } from '../../cluster/errors.ts'
import { type BrokerPlace, brokerProperties, formatProperties, type Properties } from './broker-config.ts'
import { javaArgs, type KafkaInstall, runKafkaTool } from './java.ts'
import { freePorts, LOOPBACK, portsLike } from './ports.ts'
import { awaitReady, type ServiceProcess, startProcess } from './process.ts'
import { kafkaAnswers } from './ready.ts'

export interface KafkaOptions {
  readonly install: KafkaInstall
  /** Stands in the names of its brokers: `kafka` unless given. */
  readonly name?: string
  /** Holds one folder a broker; what is in it is taken up again. */
  readonly folder: string
  readonly brokers?: number
  /** By broker, the port for clients, where it is free. */
  readonly wishedPorts?: readonly number[]
  /** By broker, port of a proxy that clients shall use instead. */
  readonly advertisedPorts?: readonly number[]
  readonly properties?: Properties
  readonly heapMb?: number
  /** Further options of the Java machine. */
  readonly jvm?: readonly string[]
  readonly startTimeout?: number
}

export interface Broker {
  readonly id: number
  readonly name: string
  /** Where the broker itself listens. */
  readonly address: string
  readonly pid: number
  readonly logFile: string
  running(): boolean
  signal(name: NodeJS.Signals): void
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** Same ports, same data. Resolves when it answers. */
  start(): Promise<void>
  stop(graceMs?: number): Promise<void>
  /** From now on it outlives this process. */
  leave(): Promise<void>
}

export interface KafkaCluster {
  /** What clients use: the proxies where there are any. */
  readonly addresses: readonly string[]
  readonly brokers: readonly Broker[]
  /** Whoever does not end within the grace is killed. */
  stop(graceMs?: number): Promise<void>
}

const START_TIMEOUT = 60_000

export const startKafkaCluster = async (options: KafkaOptions): Promise<KafkaCluster> => {
  const places = await choosePlaces(options)
  await format(options, places)
  const brokers = await Promise.all(places.map((place) => launch(options, place)))
  const addresses = places.map((place) => `${LOOPBACK}:${place.advertisedPort ?? place.ports.client}`)
  const stop = async (graceMs?: number) => {
    await Promise.all(brokers.map((broker) => broker.stop(graceMs)))
  }
  try {
    await Promise.all(brokers.map((broker) => broker.ready(places.length)))
  } catch (error) {
    await stop()
    throw error
  }
  return { addresses, brokers, stop }
}

const choosePlaces = async (options: KafkaOptions): Promise<readonly BrokerPlace[]> => {
  const count = options.brokers ?? 1
  const ports = await freePorts(3 * count)
  const port = (index: number): number => ports[index] ?? 0
  const clients = await portsLike(options.wishedPorts ?? [])
  return Array.from({ length: count }, (_, index) => {
    const advertisedPort = options.advertisedPorts?.[index]
    return {
      id: index + 1,
      folder: join(options.folder, `broker-${index + 1}`),
      ports: {
        client: clients[index] ?? port(3 * index),
        internal: port(3 * index + 1),
        controller: port(3 * index + 2),
      },
      ...(advertisedPort === undefined ? {} : { advertisedPort }),
    }
  })
}

const propertiesFile = (place: BrokerPlace): string => join(place.folder, 'server.properties')

/** Writes the properties, and formats what is not formatted yet, all under one cluster id. */
const format = async (options: KafkaOptions, places: readonly BrokerPlace[]): Promise<void> => {
  const clusterId = await keptClusterId(options.folder)
  await Promise.all(
    places.map(async (place) => {
      await mkdir(place.folder, { recursive: true })
      const properties = brokerProperties(place, places, options.properties)
      await writeFile(propertiesFile(place), formatProperties(properties))
      if (existsSync(join(place.folder, 'data', 'meta.properties'))) return
      const args = ['format', '-t', clusterId, '-c', propertiesFile(place)]
      const ran = await runKafkaTool(options.install, 'kafka.tools.StorageTool', args)
      if (ran.code !== 0)
        throw new MillraceError('services', `Kafka cannot format its data folder: ${ran.stderr.trim()}`)
    }),
  )
}

const keptClusterId = async (folder: string): Promise<string> => {
  const file = join(folder, 'cluster-id')
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim()
  await mkdir(folder, { recursive: true })
  const id = randomBytes(16).toString('base64url')
  // Kafka's command line would take a leading `-` for an option.
  const safe = id.startsWith('-') ? `A${id.slice(1)}` : id
  await writeFile(file, `${safe}\n`)
  return safe
}

type LaunchedBroker = Broker & { ready(brokers: number): Promise<void> }

const launch = async (options: KafkaOptions, place: BrokerPlace): Promise<LaunchedBroker> => {
  const address = `${LOOPBACK}:${place.ports.client}`
  const spawnBroker = () =>
    startProcess({
      name: `Kafka broker ${place.id}`,
      command: options.install.java,
      args: javaArgs(options.install, 'kafka.Kafka', [propertiesFile(place)], jvmOptions(options)),
      cwd: place.folder,
      logFile: join(place.folder, 'broker.log'),
    })
  let process: ServiceProcess = await spawnBroker()
  const ready = (brokers: number) =>
    awaitReady(process, () => kafkaAnswers(address, brokers), options.startTimeout ?? START_TIMEOUT)
  return {
    id: place.id,
    name: `${options.name ?? 'kafka'}-${place.id}`,
    address,
    get pid() {
      return process.pid
    },
    logFile: process.logFile,
    running: () => process.running(),
    signal: (name) => process.signal(name),
    kill: () => process.kill(),
    start: async () => {
      if (process.running()) return
      process = await spawnBroker()
      await ready(1)
    },
    stop: (graceMs) => process.stop(graceMs),
    leave: () => process.leave(),
    ready,
  }
}

const jvmOptions = ({ heapMb = 512, jvm = [] }: KafkaOptions): readonly string[] => [
  `-Xms${Math.min(heapMb, 256)}m`,
  `-Xmx${heapMb}m`,
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  ...jvm,
]

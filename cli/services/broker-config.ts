/**
 * Pure: the properties of one local broker (KRaft, broker and controller in one process).
 * Law: every internal topic is as safe as the cluster allows (replication 3, min.insync.replicas 2 from three brokers on),
 * and has few partitions, because each one costs time at every start.
 */
import { LOOPBACK } from './ports.ts'

export interface BrokerPorts {
  /** What clients use, and what is advertised unless `advertisedPort` says otherwise. */
  readonly client: number
  /** Brokers and the transaction coordinator among themselves: a proxy before `client` never cuts these. */
  readonly internal: number
  readonly controller: number
}

export interface BrokerPlace {
  readonly id: number
  /** Holds `data/`, the properties file and the log. */
  readonly folder: string
  readonly ports: BrokerPorts
  /** Port of a proxy that stands before `client`. */
  readonly advertisedPort?: number
}

export type Properties = Readonly<Record<string, string | number | boolean>>

export const brokerProperties = (
  broker: BrokerPlace,
  all: readonly BrokerPlace[],
  overrides: Properties = {},
): Properties => {
  const { client, internal, controller } = broker.ports
  const copies = Math.min(3, all.length)
  const inSync = copies === 3 ? 2 : 1
  return {
    'process.roles': 'broker,controller',
    'node.id': broker.id,
    'controller.quorum.voters': all.map((one) => `${one.id}@${LOOPBACK}:${one.ports.controller}`).join(),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    listeners: `CLIENT://${LOOPBACK}:${client},INTERNAL://${LOOPBACK}:${internal},CONTROLLER://${LOOPBACK}:${controller}`,
    'advertised.listeners': `CLIENT://${LOOPBACK}:${broker.advertisedPort ?? client},INTERNAL://${LOOPBACK}:${internal}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': `${broker.folder}/data`,
    'auto.create.topics.enable': false,
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'offsets.topic.num.partitions': 2 * all.length,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': 4 * all.length,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': 0,
    // The default is a quarter of the heap.
    'log.cleaner.dedupe.buffer.size': 16 * 1024 ** 2,
    // A broker that comes back after SIGKILL may only register when its old session has ended (default 9 s).
    'broker.session.timeout.ms': 4000,
    'broker.heartbeat.interval.ms': 500,
    ...overrides,
  }
}

export const formatProperties = (properties: Properties): string =>
  Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')

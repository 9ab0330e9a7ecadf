/** The world of the suite on real brokers behind proxies: faults are made on the wire and by signals. */

import { readdir, readFile } from 'node:fs/promises'
import { Kafka, logLevel } from 'kafkajs'
import { MillraceError } from '../../cluster/errors.ts'
import { EventBus } from '../../cluster/events.ts'
import { stamp } from '../../cluster/kafka/codec/stamp.ts'
import { CODE } from '../../cluster/kafka/codes.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { Part } from '../../cluster/kafka/ports.ts'
import { KafkaReader, type ReaderOptions } from '../../cluster/kafka/reader.ts'
import { findCoordinatorRequest } from '../../cluster/kafka/requests/metadata.ts'
import {
  addPartitionsRequest,
  endTransactionRequest,
  initProducerIdRequest,
  NO_PRODUCER,
  produceRequest,
} from '../../cluster/kafka/requests/transactions.ts'
import { Connections, type RawRequest, type Throttled } from '../../cluster/kafka/seam.ts'
import { Topology } from '../../cluster/kafka/topology.ts'
import { TransactionWriter } from '../../cluster/kafka/writer.ts'
import { API } from '../support/proxy.ts'
import { startKafkaBehindProxies } from '../support/services.ts'
import type { OpenTransaction, Step, TopicOptions, World, WriterChoice } from './world.ts'

export const apiOf: Readonly<Record<Step, number>> = {
  init: API.initProducerId,
  add: API.addPartitionsToTxn,
  produce: API.produce,
  end: API.endTxn,
  fetch: API.fetch,
}

type Cluster = Awaited<ReturnType<typeof startKafkaBehindProxies>>

export interface RealWorld extends World {
  readonly cluster: Cluster
  readonly events: EventBus
  topology(requestTimeout?: number): Promise<Topology>
}

const REQUEST_TIMEOUT = 5000

/** @param brokers each behind a proxy of its own; `seen`, `loseReply` and `holdReply` look at the first alone */
export const realWorld = async (brokers = 1): Promise<RealWorld> => {
  const properties = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200 }
  const cluster = await startKafkaBehindProxies({ brokers, properties })
  const [proxy] = cluster.proxies
  if (proxy === undefined) throw new Error('a cluster has a proxy')
  const [first] = cluster.brokers
  const events = new EventBus()
  const opened: Connections[] = []
  const kafka = new Kafka({ brokers: [...cluster.addresses], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const topology = async (requestTimeout = REQUEST_TIMEOUT): Promise<Topology> => {
    const connections = new Connections({ brokers: [...cluster.addresses], requestTimeout })
    opened.push(connections)
    await connections.connect()
    return new Topology(connections)
  }
  const shared = await topology()
  const stoppable: { stop(): Promise<void> }[] = []
  return {
    cluster,
    events,
    topology,
    ...topicsOf(admin, shared, brokers),
    writer: async (transactionalId, choice = {}) =>
      newWriter(await topology(choice.requestTimeout), transactionalId, choice),
    reader: async (topic, options: Partial<ReaderOptions> = {}) => {
      const own = await topology()
      await own.topic(topic)
      const reader = new KafkaReader(own, { topic, fetchBytes: 2 ** 20, fetchWait: 100, ...options }, events)
      stoppable.push(reader)
      return reader
    },
    begin: async (transactionalId) => rawTransaction(await topology(), transactionalId),
    seen: (step) => proxy.seen.filter((key) => key === apiOf[step]).length,
    loseReply: (step) => proxy.dropReply(apiOf[step]),
    holdReply: (step) => proxy.holdReply(apiOf[step]),
    freeze: async () => {
      first?.signal('SIGSTOP')
      while (first !== undefined && !(await standsStill(first.pid))) await pause(1)
    },
    thaw: () => first?.signal('SIGCONT'),
    close: async () => {
      first?.signal('SIGCONT')
      await Promise.all(stoppable.map((one) => one.stop()))
      await admin.disconnect()
      await Promise.all(opened.map((connections) => connections.close()))
      await cluster.stop()
    },
  }
}

/**
 * Whether every thread of the process has stopped: on a busy machine a broker answers for some time after the signal was sent.
 * The state follows the command name, which may hold blanks.
 */
const standsStill = async (pid: number): Promise<boolean> => {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8'))
  return (await Promise.all(stats)).every((stat) => stat.charAt(stat.lastIndexOf(')') + 2) === 'T')
}

const newWriter = (topology: Topology, transactionalId: string, choice: WriterChoice): TransactionWriter =>
  new TransactionWriter(topology, {
    transactionalId,
    transactionTimeout: choice.transactionTimeout ?? 20_000,
    requestTimeout: choice.requestTimeout ?? REQUEST_TIMEOUT,
    ...(choice.mayFence === undefined ? {} : { mayFence: choice.mayFence }),
  })

const answers = async (
  topology: Topology,
  topic: string,
  partitions: readonly number[],
): Promise<boolean> => {
  await topology.refresh(topic)
  try {
    return (
      topology.knownTopic(topic) !== undefined && (await topology.offsets(topic, partitions)) !== undefined
    )
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'topic-missing') return false
    throw error
  }
}

const topicsOf = (admin: ReturnType<Kafka['admin']>, topology: Topology, brokers: number) => ({
  makeTopic: async (topic: string, { partitions = 1, config = {} }: TopicOptions = {}) => {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    const replicationFactor = Math.min(3, brokers)
    await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor, configEntries }],
      waitForLeaders: false,
    })
    const all = Array.from({ length: partitions }, (_, partition) => partition)
    // One of that name may just have been deleted: what is known of it says nothing until the new one answers.
    while (!(await answers(topology, topic, all))) await pause(2)
  },
  deleteTopic: (topic: string) => admin.deleteTopics({ topics: [topic] }),
  deleteRecords: async (topic: string, partition: number, before: number) => {
    await admin.fetchTopicOffsets(topic) // Else kafkajs does not know the leader.
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] })
  },
  decidedEnd: async (topic: string, partition: number) => {
    for (;;) {
      const written = (await topology.written(topic, [partition])).get(partition)
      const stable = (await topology.ends(topic, [partition])).get(partition)
      if (stable !== undefined && stable === written) return stable
      await pause(2)
    }
  },
})

const rawTransaction = async (topology: Topology, transactionalId: string): Promise<OpenTransaction> => {
  const { connections } = topology
  const coordinator = await findCoordinator(connections, transactionalId)
  const call = <T extends Throttled & { code: number }>(request: RawRequest<T>) =>
    whileConcurrent(() => connections.call(coordinator, request))
  const { producer } = await call(initProducerIdRequest(transactionalId, 30_000, NO_PRODUCER))
  const sequences = new Map<string, number>()
  const add = async (part: Part): Promise<void> => {
    const request = addPartitionsRequest(transactionalId, producer, [part])
    const { code } = await whileConcurrent(async () => {
      const { codes } = await connections.call(coordinator, request)
      return { code: codes[0] ?? CODE.none }
    })
    if (code !== CODE.none) throw new Error(`AddPartitionsToTxn: ${code}`)
  }
  const produceOne = async (part: Part): Promise<number> => {
    const key = `${part.topic}/${part.partition}`
    const sequence = sequences.get(key) ?? 0
    stamp(part.bytes, producer.producerId, producer.epoch, sequence)
    sequences.set(key, sequence + part.records)
    const leader = await topology.leader(part.topic, part.partition)
    const reply = await connections.call(leader?.leader ?? -1, produceRequest(transactionalId, [part], 5000))
    const [produced] = reply.produced
    if (produced?.code !== CODE.none) throw new Error(`Produce: ${produced?.code}`)
    return produced.baseOffset
  }
  return {
    produce: async (parts, added = false) => {
      const offsets: number[] = []
      for (const part of parts) {
        if (!added) await add(part)
        offsets.push(await produceOne(part))
      }
      return offsets
    },
    end: async (how) => (await call(endTransactionRequest(transactionalId, producer, how === 'commit'))).code,
  }
}

const findCoordinator = async (connections: Connections, transactionalId: string): Promise<number> => {
  for (;;) {
    const [nodeId = -1] = connections.nodeIds()
    const { code, nodeId: found } = await connections.call(
      nodeId,
      findCoordinatorRequest(transactionalId, 'transaction'),
    )
    if (code === CODE.none) return found
    await pause(20)
  }
}

const repeatable: readonly number[] = [
  CODE.concurrentTransactions,
  CODE.notCoordinator,
  CODE.coordinatorLoading,
  CODE.coordinatorNotAvailable,
]

const whileConcurrent = async <T extends { code: number }>(ask: () => Promise<T>): Promise<T> => {
  for (;;) {
    const reply = await ask()
    if (!repeatable.includes(reply.code)) return reply
    await pause(2)
  }
}

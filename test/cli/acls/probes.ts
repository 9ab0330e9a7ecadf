/** What a part does with one of its rights, by the code that does it there. Resolves where Kafka lets it, rejects where it does not. */
import { Partitioners } from 'kafkajs'
import type { Acl } from '../../../cli/acls/table.ts'
import { auditPipeline } from '../../../cli/audit.ts'
import { insightsSender } from '../../../cli/coordinator-insights.ts'
import { connectTopology } from '../../../cli/host.ts'
import { withProducer } from '../../../cli/produce.ts'
import { MillraceError } from '../../../cluster/errors.ts'
import { createInput, describeTopic } from '../../../cluster/kafka/admin.ts'
import { kafkaClient } from '../../../cluster/kafka/client.ts'
import { encodeBatch } from '../../../cluster/kafka/codec/records.ts'
import { CODE, codeName } from '../../../cluster/kafka/codes.ts'
import { findCoordinatorRequest } from '../../../cluster/kafka/requests/metadata.ts'
import { scan } from '../../../cluster/kafka/scan.ts'
import type { Topology } from '../../../cluster/kafka/topology.ts'
import { TransactionWriter } from '../../../cluster/kafka/writer.ts'
import { type Names, namesOf, sinkNamesOf } from '../../../cluster/protocol/names.ts'
import type { Settings } from '../../../cluster/settings.ts'
import { KafkaCommits } from '../../../sinks/commits.ts'
import { pipeline } from './fixtures/every-fate.ts'

export interface Actor {
  readonly settings: Settings
  readonly topology: Topology
  readonly names: Names
}

/** @throws what Kafka's refusal becomes */
export const attempt = async (settings: Settings, acl: Acl): Promise<void> => {
  const topology = await connectTopology(settings, 'home')
  const names = namesOf(pipeline.name, pipeline.topics, settings.topicPrefix)
  try {
    await probeFor(acl)({ settings, topology, names }, acl)
  } finally {
    await topology.connections.close()
  }
}

type Probe = (actor: Actor, acl: Acl) => Promise<unknown>

const probeFor = ({ part, resource, operation, name }: Acl): Probe => {
  if (part === 'audit') return wholeAudit
  if (part === 'orders' && operation === 'Describe') return count
  if (part === 'topics') return operation === 'Create' ? make : describeIt
  if (resource === 'group') return operation === 'Describe' ? takeOver : part === 'sink' ? sinkCommit : mirror
  if (resource === 'transactional-id') return fence
  if (operation === 'Read') return read
  if (operation === 'DescribeConfigs') return describeIt
  if (part === 'produce') return produce
  if (name.endsWith('.retried')) return sendResult
  return name.endsWith('-insights') ? publish : write
}

const read: Probe = async ({ topology }, { name }) => {
  const partitions = (await topology.topic(name)).partitions.map(({ partition }) => partition)
  const [starts, ends] = [await topology.offsets(name, partitions), await topology.ends(name, partitions)]
  const full = partitions.find((one) => (starts.get(one) ?? 0) < (ends.get(one) ?? 0))
  if (full === undefined) throw new Error(`nothing stands in ${name}`)
  const range = { topic: name, partition: full, from: starts.get(full) ?? 0, to: ends.get(full) ?? 0 }
  await scan(topology, range, () => undefined)
}

/** As whoever orders looks how many partitions there are. */
const count: Probe = ({ topology }, { name }) => topology.topic(name)

const idOf = (acl: Acl): string => {
  const of = {
    worker: `${acl.name}0`,
    coordinator: acl.name,
    replay: acl.name,
    sink: acl.name,
    orders: acl.name,
  }
  return of[acl.part as keyof typeof of]
}

/** The transactional id of each part that writes in transactions. */
const writerOf = ({ settings, topology, names }: Actor, { part }: Acl, transactionalId?: string) => {
  const ids = {
    worker: names.transactionalId(0),
    coordinator: `${settings.topicPrefix}millrace.coordinator`,
    replay: `${names.group}.replay`,
    sink: sinkNamesOf(names.output ?? '', 'idx', settings.topicPrefix).transactionalId,
    orders: `${settings.topicPrefix}millrace.orders`,
  }
  const id = transactionalId ?? ids[part as keyof typeof ids]
  return new TransactionWriter(topology, {
    transactionalId: id,
    transactionTimeout: 10_000,
    requestTimeout: 5000,
  })
}

const must = (answer: { readonly result: string }, wanted: string): void => {
  if (answer.result === wanted) return
  throw new MillraceError(answer.result === 'halted' ? 'kafka-auth' : 'internal', JSON.stringify(answer))
}

const fence: Probe = async (actor, acl) => must(await writerOf(actor, acl, idOf(acl)).fence(), 'open')

/** Under a key that nobody reads: what stands there for good stays as it is. */
const write: Probe = async (actor, acl) => {
  const writer = writerOf(actor, acl)
  must(await writer.fence(), 'open')
  const batch = encodeBatch([{ timestamp: Date.now(), key: 'probe', value: '{}' }])
  if (batch === undefined) throw new Error('an empty batch')
  const part = { topic: acl.name, partition: 0, bytes: batch.bytes, records: batch.count }
  must(await writer.transact([part]), 'committed')
}

const describeIt: Probe = async ({ settings }, { name }) => {
  const admin = kafkaClient(settings, 'home').admin()
  await admin.connect()
  await describeTopic(admin, name).finally(() => admin.disconnect())
}

/** The broker judges the right before it finds that the topic is there. */
const make: Probe = async ({ settings }, { name }) => {
  const admin = kafkaClient(settings, 'home').admin()
  await admin.connect()
  await createInput(admin, name, settings).finally(() => admin.disconnect())
}

const mirror: Probe = ({ topology, names }, { name: groupId }) =>
  topology.connections.commitOffsets({
    ...{ groupId, groupGenerationId: -1, memberId: '' },
    topics: [{ topic: names.input, partitions: [{ partition: 0, offset: '1', metadata: '' }] }],
  })

/** The first question of whoever takes over a group's offsets; kafkajs itself would ask it for a minute. */
const takeOver: Probe = async ({ topology }, { name }) => {
  const [node = 0] = topology.connections.nodeIds()
  const { code } = await topology.connections.call(node, findCoordinatorRequest(name, 'group'))
  if (code !== CODE.none) throw new MillraceError('kafka-auth', codeName(code))
}

const sinkCommit: Probe = async ({ settings, names: { output = '' } }) => {
  const kafka = kafkaClient(settings, 'home')
  const admin = kafka.admin()
  await admin.connect()
  const names = sinkNamesOf(output, 'idx', settings.topicPrefix)
  const commits = await KafkaCommits.open({ kafka, admin, names, transactionTimeout: 10_000 })
  try {
    await commits.positions()
    await commits.commit(new Map([[0, 1]]), [])
  } finally {
    await commits.close()
    await admin.disconnect()
  }
}

const produce: Probe = ({ settings }, { name: topic }) =>
  withProducer(settings, { topic, which: 'input', acks: 'all' }, (producer) =>
    producer.send([{ key: 'probe', value: Buffer.from('{"fate":"drop"}') }]),
  )

/** As a worker sends what came of a retry. */
const sendResult: Probe = async ({ settings }, { name: topic }) => {
  const createPartitioner = Partitioners.DefaultPartitioner
  const producer = kafkaClient(settings, 'home').producer({
    allowAutoTopicCreation: false,
    createPartitioner,
  })
  await producer.connect()
  await producer
    .send({ topic, acks: -1, messages: [{ key: 'probe', value: 'x', partition: 0 }] })
    .finally(() => producer.disconnect())
}

const publish: Probe = async ({ settings }) => {
  await using sender = insightsSender(settings, async () => pipeline)
  await sender.send(pipeline.name, [{ key: 'probe', value: {} }])
}

/** Without a right on settings it goes on, and says what it cannot prove. */
const wholeAudit: Probe = async ({ settings, names }) => {
  const report = await auditPipeline(settings, pipeline, names)
  const notProvable = report.notProvable.filter((line) => !line.startsWith('Redis'))
  if (notProvable.length > 0) throw new MillraceError('kafka-auth', notProvable.join('; '))
}

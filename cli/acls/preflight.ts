/**
 * Whether the user may do what a part needs, asked for before anything begins: all that is missing in one line, instead of a slot
 * that halts, or a number that never comes, minutes later. Kafka itself says it: the operations allowed on each topic.
 */
import { MillraceError } from '../../cluster/errors.ts'
import type { Which } from '../../cluster/kafka/client.ts'
import { CODE } from '../../cluster/kafka/codes.ts'
import { findCoordinatorRequest, metadataRequest } from '../../cluster/kafka/requests/metadata.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import type { Settings } from '../../cluster/settings.ts'
import { connectTopology } from '../host.ts'
import type { Acl, Operation } from './table.ts'

/** kafka.apache.org/protocol: the bit of each operation. */
const BIT: Readonly<Record<Operation, number>> = {
  Read: 3,
  Write: 4,
  Create: 5,
  Describe: 8,
  DescribeConfigs: 10,
  AlterConfigs: 11,
}

/** Describe itself, and what includes it. */
const SHOWS: readonly Operation[] = ['Read', 'Write', 'Describe']

/** @throws MillraceError `kafka-auth` with all that is missing */
export const requireAcls = async (settings: Settings, acls: readonly Acl[]): Promise<void> => {
  const missing: Acl[] = []
  const clusterOf = ({ cluster }: Acl): Which => (settings.homeBrokers.length > 0 ? cluster : 'input')
  for (const [which, own] of Map.groupBy(acls, clusterOf)) {
    const topology = await connectTopology(settings, which)
    try {
      missing.push(...(await missingAcls(topology, own)))
    } finally {
      await topology.connections.close()
    }
  }
  const [first] = missing
  if (first === undefined) return
  const list = missing.map(({ operation, resource, name }) => `${operation} on ${resource} ${name}`)
  throw new MillraceError(
    'kafka-auth',
    `Kafka does not let this user do what a ${first.part} needs: ${list.join(', ')}`,
    {
      remedy: `grant it: \`millrace acls --for ${first.part} -o commands\` prints how`,
    },
  )
}

/** Of what is not there nothing is known, so it is not missed here. */
export const missingAcls = async (topology: Topology, acls: readonly Acl[]): Promise<readonly Acl[]> => {
  const {
    topic = [],
    group = [],
    'transactional-id': transactions = [],
  } = Object.groupBy(acls, ({ resource }) => resource)
  const allowed = await allowedOn(topology, [...new Set(topic.map(({ name }) => name))])
  const may = ({ name, operation }: Acl): boolean => {
    const operations = allowed.get(name)
    if (operations === undefined) return true
    // Where it may not even be seen, no more is known than that nothing is granted which includes Describe.
    return operations === 'unseen' ? !SHOWS.includes(operation) : (operations & (1 << BIT[operation])) !== 0
  }
  const [groups, ids] = [
    await refusedOf(topology, 'group', group),
    await refusedOf(topology, 'transaction', transactions),
  ]
  return [...topic.filter((acl) => !may(acl)), ...groups, ...ids]
}

/** By topic the bits of what is allowed; nothing where there is none. */
const allowedOn = async (
  topology: Topology,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number | 'unseen'>> => {
  if (topics.length === 0) return new Map()
  const reply = await topology.askAny(metadataRequest(topics, { operations: true }))
  return new Map(
    reply.topics.flatMap(({ topic, code, operations }): readonly (readonly [string, number | 'unseen'])[] => {
      if (code === CODE.topicAuthorization) return [[topic, 'unseen']]
      // Who stands before a broker may leave it out.
      return code !== CODE.none || operations === undefined ? [] : [[topic, operations]]
    }),
  )
}

/** Who may not even ask who coordinates them. */
const refusedOf = async (
  topology: Topology,
  kind: 'group' | 'transaction',
  acls: readonly Acl[],
): Promise<readonly Acl[]> => {
  const refused: Acl[] = []
  for (const acl of acls) {
    const name = acl.pattern === 'prefixed' ? `${acl.name}0` : acl.name
    const { code } = await topology.askAny(findCoordinatorRequest(name, kind))
    if (code === CODE.groupAuthorization || code === CODE.transactionalIdAuthorization) refused.push(acl)
  }
  return refused
}

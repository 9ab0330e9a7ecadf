/** A real broker with the authorizer on: whoever is granted nothing may nothing. */
import kafkajs from 'kafkajs'
import { missingAcls } from '../../cli/acls/preflight.ts'
import type { Acl } from '../../cli/acls/table.ts'
import { connectTopology } from '../../cli/host.ts'
import { kafkaClient } from '../../cluster/kafka/client.ts'
import type { Certificates } from './certificates.ts'
import { until } from './cluster.ts'
import { type SecureKafka, startSecureKafka } from './secure-kafka.ts'

export const startAuthorizedKafka = (
  certificates: Certificates,
  users: readonly string[],
): Promise<SecureKafka> =>
  startSecureKafka({
    certificates,
    users,
    properties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS;User:broker',
    },
  })

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const RESOURCE = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
} as const
const OPERATION = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
  AlterConfigs: AclOperationTypes.ALTER_CONFIGS,
} as const

/** By user; resolves when the broker goes by the last of them. */
export const grant = async (
  kafka: SecureKafka,
  rights: ReadonlyMap<string, readonly Acl[]>,
): Promise<void> => {
  const admin = kafkaClient(kafka.admin, 'home').admin()
  await admin.connect()
  const acl = [...rights].flatMap(([user, acls]) =>
    acls.map(({ resource, pattern, name, operation }) => ({
      resourceType: RESOURCE[resource],
      resourceName: name,
      resourcePatternType:
        pattern === 'prefixed' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: '*',
      operation: OPERATION[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  )
  await admin.createAcls({ acl })
  await admin.disconnect()
  const [user, acls] = [...rights].at(-1) ?? ['', []]
  const topology = await connectTopology(kafka.settings(user), 'home')
  await until('the rights count', 30_000, async () => (await missingAcls(topology, acls)).length === 0)
  await topology.connections.close()
}

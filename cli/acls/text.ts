/** The rows of the table as what an administrator runs, and as sections for people. */
import { table } from '../output.ts'
import type { Acl } from './table.ts'

export interface Addressee {
  readonly principal: string
  /** By cluster, its bootstrap servers; empty where none are set. */
  readonly brokers: Readonly<Record<Acl['cluster'], readonly string[]>>
}

const OPTION = { topic: '--topic', group: '--group', 'transactional-id': '--transactional-id' } as const

const quoted = (text: string): string =>
  /^[\w./:,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

/** The same right twice (two parts need it) is given once. */
const byResource = (acls: readonly Acl[]): readonly (readonly Acl[])[] => {
  const once = new Map(
    acls.map((acl) => [[acl.cluster, acl.resource, acl.name, acl.operation].join(' '), acl]),
  )
  return [
    ...Map.groupBy(once.values(), ({ cluster, resource, name }) => `${cluster} ${resource} ${name}`).values(),
  ]
}

/** One call of Kafka's own `kafka-acls` a resource. */
export const aclCommands = (acls: readonly Acl[], { principal, brokers }: Addressee): readonly string[] =>
  byResource(acls).flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { cluster, resource, pattern, name } = first
    const servers = brokers[cluster].join(',') || `$${cluster.toUpperCase()}_BROKERS`
    return [
      [
        `kafka-acls --bootstrap-server ${servers} --command-config admin.properties`,
        `--add --allow-principal ${quoted(principal)}`,
        ...group.map(({ operation }) => `--operation ${operation}`),
        `${OPTION[resource]} ${quoted(name)}`,
        ...(pattern === 'prefixed' ? ['--resource-pattern-type prefixed'] : []),
      ].join(' '),
    ]
  })

export const cellsOf = ({ cluster, resource, pattern, name, operation, why }: Acl): readonly string[] => [
  cluster,
  resource,
  pattern === 'prefixed' ? `${name}*` : name,
  operation,
  why,
]
export const HEAD = ['cluster', 'resource', 'name', 'operation', 'what for'] as const

export const aclTable = (acls: readonly Acl[]): string =>
  table(
    ['part', ...HEAD],
    acls.map((acl) => [acl.part, ...cellsOf(acl)]),
  )

/** Index template and index, made or brought up to date at every start. Safe to repeat and to run by several at once. */
import type { Client } from '@opensearch-project/opensearch'
import { MillraceError } from '../../cluster/errors.ts'
import type { SinkNames } from '../../cluster/protocol/names.ts'
import { failureOf, typeName } from './failures.ts'
import type { Mapping } from './mapping.ts'

export interface IndexWishes {
  readonly index: string
  /** Of an index that is made; one that is there keeps its own. */
  readonly shards: number
  readonly replicas: number
  readonly mapping: Mapping
}

/** Above whatever a cluster has for all indices. */
const PRIORITY = 500

/** @throws MillraceError `usage` */
export const checkIndexName = (name: string): string => {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(name) && Buffer.byteLength(name) <= 255) return name
  throw new MillraceError('usage', `--index is ${JSON.stringify(name)}`, {
    remedy: 'give small letters, digits, dots, dashes and underscores',
  })
}

/**
 * The template stays for the day somebody deletes the index under our hands.
 * @throws MillraceError `opensearch-refused`, `opensearch-auth`, `opensearch-unreachable`
 */
export const ensureIndex = async (client: Client, wishes: IndexWishes): Promise<void> => {
  const { index, mapping } = wishes
  const settings = { number_of_shards: wishes.shards, number_of_replicas: wishes.replicas }
  const template = { settings: { index: settings }, mappings: mapping }
  await request(client, `make the template of ${index}`, 'PUT', `/_index_template/millrace-${index}`, {
    index_patterns: [index],
    priority: PRIORITY,
    template,
  })
  if (await exists(client, index))
    await request(
      client,
      `map the fields of ${index}, which has others`,
      'PUT',
      `/${index}/_mapping`,
      mapping,
    )
  else await create(client, index, template)
}

interface Mappings {
  readonly [index: string]: { readonly mappings?: { readonly _meta?: Readonly<Record<string, unknown>> } }
}

/**
 * Writes into the index of which topic its documents are: Kafka forgets the position of a deleted topic, and one of the
 * same name would write its records over the old ones, under the same ids.
 * @throws MillraceError `topic-recreated`
 */
export const bindTopic = async (
  client: Client,
  { index, topic }: Pick<SinkNames, 'index' | 'topic'>,
  topicId: string,
): Promise<void> => {
  const found = (await request(
    client,
    `read the mapping of ${index}`,
    'GET',
    `/${index}/_mapping`,
  )) as Mappings
  const meta = Object.values(found)[0]?.mappings?._meta ?? {}
  const key = `millrace:${topic}`
  const known = meta[key]
  if (known === topicId) return
  if (known !== undefined)
    throw new MillraceError(
      'topic-recreated',
      `${topic} was deleted and made again; ${index} holds the old one`,
      {
        remedy: 'give another --index, or delete this one',
      },
    )
  const bound = { _meta: { ...meta, [key]: topicId } }
  await request(client, `mark ${index}`, 'PUT', `/${index}/_mapping`, bound)
}

const exists = async (client: Client, index: string): Promise<boolean> => {
  try {
    return (await client.indices.exists({ index })).body === true
  } catch (error) {
    throw refusal(`look for ${index}`, error)
  }
}

const create = async (client: Client, index: string, template: object): Promise<void> => {
  try {
    await client.transport.request({ method: 'PUT', path: `/${index}`, body: template })
  } catch (error) {
    // Another sink, or a bulk under the template, was quicker.
    if (errorType(error) !== 'resource_already_exists_exception') throw refusal(`make ${index}`, error)
  }
}

const request = async (
  client: Client,
  what: string,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> => {
  try {
    return (await client.transport.request({ method, path, ...(body && { body }) })).body
  } catch (error) {
    throw refusal(what, error)
  }
}

const errorOf = (error: unknown): unknown => {
  const body = error instanceof Error && 'body' in error ? error.body : undefined
  return typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
}

const errorType = (error: unknown): string => typeName(errorOf(error))

const codes = {
  away: 'opensearch-unreachable',
  missing: 'opensearch-refused',
  'too-large': 'opensearch-refused',
  auth: 'opensearch-auth',
  refused: 'opensearch-refused',
} as const

/** No document is in play yet, so OpenSearch's own words may be repeated. */
const refusal = (what: string, error: unknown): MillraceError => {
  const { kind, reason } = failureOf(error)
  const found = errorOf(error)
  const words = typeof found === 'object' && found !== null && 'reason' in found ? `: ${found.reason}` : ''
  return new MillraceError(codes[kind], `OpenSearch cannot ${what}: ${reason}${words}`, { cause: error })
}

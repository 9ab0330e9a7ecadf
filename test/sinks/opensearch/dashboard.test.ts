/** The dashboard file: every reference resolves, and on a real OpenSearch each of its aggregations gives the counts. */
import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { readSettings } from '../../../cluster/settings.ts'
import { openSearchClient } from '../../../sinks/opensearch/client.ts'
import type { SavedObject } from '../../../sinks/opensearch/dashboard.ts'
import { ensureIndex } from '../../../sinks/opensearch/index-setup.ts'
import { loginMapping } from '../../../sinks/opensearch/mapping.ts'
import { ask, useOpenSearch } from '../../support/opensearch.ts'
import { uniqueName } from '../../support/services.ts'

const objects = readFileSync(new URL('../../../deploy/opensearch/dashboard.ndjson', import.meta.url), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line) as SavedObject)

const parsed = (object: SavedObject, name: string) => JSON.parse(String(object.attributes[name]))
const named = (title: string): SavedObject => {
  const found = objects.find(({ attributes }) => attributes.title === title)
  if (found === undefined) throw new Error(`no saved object is called ${title}`)
  return found
}

test('every reference leads to an object of the file, and every name within an object to a reference', () => {
  const known = objects.map(({ type, id }) => `${type}/${id}`)
  expect(new Set(known).size).toBe(known.length)
  for (const { references } of objects)
    for (const { type, id } of references) expect(known).toContain(`${type}/${id}`)
  for (const object of objects) {
    const used = [...JSON.stringify(object.attributes).matchAll(/RefName\\?":\\?"([^"\\]+)/g)].map(
      ([, name]) => name,
    )
    expect(used.toSorted(), object.id).toEqual(object.references.map(({ name }) => name).toSorted())
  }
})

test('it shows five panels of the last 15 minutes and refreshes each second', () => {
  const board = named('Millrace: logins')
  expect(board.attributes).toMatchObject({
    timeRestore: true,
    timeFrom: 'now-15m',
    timeTo: 'now',
    refreshInterval: { pause: false, value: 1000 },
  })
  const titles = board.references.map(({ id }) => objects.find((one) => one.id === id)?.attributes.title)
  expect(titles.toSorted()).toEqual([
    'Logins by device type',
    'Logins by locale',
    'Logins over time',
    'Share of device types',
    'Title',
  ])
  expect(objects.find(({ type }) => type === 'index-pattern')?.attributes).toMatchObject({
    title: 'processed-user-login-index',
    timeFieldName: 'timestamp',
  })
})

let url: string
const index = uniqueName('dashboard')
let now: number
const MINUTE = 60_000

/** Age in minutes, and what the login says. */
const logins: readonly (readonly [age: number, fields: object])[] = [
  [1, { locale: 'de', device_type: 'ios' }],
  [1, { locale: 'de', device_type: 'web' }],
  [5, { locale: 'en', device_type: 'ios' }],
  [5, { locale: 'en', device_type: null }],
  [9, { device_type: 'ios' }],
  [40, { locale: 'fr', device_type: 'web' }],
]

beforeAll(async () => {
  url = await useOpenSearch()
  now = Date.now()
  const client = openSearchClient(readSettings({}, { opensearchUrl: [url] }))
  await ensureIndex(client, { index, shards: 2, replicas: 0, mapping: loginMapping })
  await client.close()
  for (const [n, [age, fields]] of logins.entries()) {
    const timestamp = new Date(now - age * MINUTE).toISOString().replace(/\.\d+Z$/, '+0000')
    await ask(`${url}/${index}/_doc/${n}?refresh=true`, 'PUT', { ...fields, timestamp })
  }
}, 600_000)

interface Aggregation {
  readonly type: string
  readonly params: { readonly field: string; readonly size: number; readonly missingBucketLabel: string }
}

/** As Dashboards asks: the time range of the board, documents without the field under a label of their own. */
const bucketsOf = async (title: string): Promise<readonly (readonly [string | number, number])[]> => {
  const aggs: readonly Aggregation[] = parsed(named(title), 'visState').aggs
  const metric = aggs.find(({ type }) => type === 'count')
  const segment = aggs.find(({ type }) => type !== 'count')
  if (segment === undefined || metric === undefined) throw new Error(`${title} counts nothing`)
  const { field, size, missingBucketLabel: missing } = segment.params
  const buckets =
    segment.type === 'terms'
      ? { terms: { field, size, missing } }
      : { date_histogram: { field, fixed_interval: '1m', min_doc_count: 1 } }
  const { timeFrom, timeTo } = named('Millrace: logins').attributes
  const reply = await ask<{
    readonly aggregations: { readonly it: { readonly buckets: readonly Bucket[] } }
  }>(`${url}/${index}/_search`, 'POST', {
    size: 0,
    query: { range: { timestamp: { gte: timeFrom, lte: timeTo } } },
    aggs: { it: buckets },
  })
  return reply.aggregations.it.buckets.map(({ key, doc_count }) => [key, doc_count])
}

interface Bucket {
  readonly key: string | number
  readonly doc_count: number
}

test('each aggregation gives the counts of the last 15 minutes', async () => {
  expect(Object.fromEntries(await bucketsOf('Logins by locale'))).toEqual({ de: 2, en: 2, '(none)': 1 })
  const devices = { ios: 3, web: 1, '(none)': 1 }
  expect(Object.fromEntries(await bucketsOf('Share of device types'))).toEqual(devices)
  expect(Object.fromEntries(await bucketsOf('Logins by device type'))).toEqual(devices)
  const minute = (age: number) => Math.floor((now - age * MINUTE) / MINUTE) * MINUTE
  expect(await bucketsOf('Logins over time')).toEqual([
    [minute(9), 1],
    [minute(5), 2],
    [minute(1), 2],
  ])
})

test('every aggregated field is mapped so that it can be aggregated', () => {
  const asked = objects
    .filter(({ type }) => type === 'visualization')
    .flatMap((one) =>
      (parsed(one, 'visState').aggs as readonly Aggregation[]).map(({ params }) => params.field),
    )
    .filter((field) => field !== undefined)
  expect(asked.length).toBe(4)
  const { properties } = loginMapping
  for (const field of asked) expect(properties).toHaveProperty(field)
})

/** The schema of the values, the values themselves and the settings table say the same. Needs no helm. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { VERSION } from '../../cluster/protocol/version.ts'
import { settingsTable } from '../../cluster/settings.ts'
import { optionVariable } from '../../pipelines/api/options.ts'
import { fileSettings, plainSettings, secretSettings } from '../../scripts/pages/chart/settings.ts'

const chart = join(import.meta.dirname, '../../deploy/helm/millrace')
const textOf = (name: string) => readFileSync(join(chart, name), 'utf8')

type Json = { readonly [name: string]: unknown }
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Paths of the values that the schema lists by name, but for what stands below `skipped`. */
const listed = ({ properties }: Json, skipped: readonly string[], path = ''): readonly string[] =>
  Object.entries((properties ?? {}) as Json).flatMap(([name, schema]) => {
    const own = path === '' ? name : `${path}.${name}`
    const below = isObject(schema) && schema.properties !== undefined && !skipped.includes(own)
    return below ? listed(schema, skipped, own) : [own]
  })

const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((part, name) => (isObject(part) ? part[name] : undefined), value)

test('values.yaml shows every value there is, with its default', () => {
  const skipped = ['settings', 'settingFiles', 'secretKeys', 'podSecurityContext']
  const paths = listed(JSON.parse(textOf('values.schema.json')) as Json, skipped)
  const values: unknown = parse(textOf('values.yaml'))
  expect(paths.length).toBeGreaterThan(80)
  // `global` is Helm's own: it reaches every chart.
  expect(paths.filter((path) => at(values, path) === undefined)).toEqual(['global'])
})

test('chart and image have the version of the program', () =>
  expect(parse(textOf('Chart.yaml'))).toMatchObject({ version: VERSION, appVersion: VERSION }))

const kept = [
  'advertisedHost',
  'dataDir',
  'httpHost',
  'httpPort',
  'inject',
  'metricsHost',
  'metricsPort',
  'partitions',
  'pipeline',
]

test('every setting can be given in one way, but for those that the chart says itself', () => {
  for (const [name, { hide, env }] of Object.entries(settingsTable)) {
    const ways = [plainSettings, fileSettings, secretSettings].filter((way) => name in way)
    if (kept.includes(name)) expect(ways, name).toEqual([])
    if (hide === undefined && ways.length > 0) expect(ways, name).toHaveLength(1)
    if (hide !== undefined) expect(name in secretSettings, name).toBe(true)
    if (ways.length > 0) expect(JSON.parse(textOf('files/settings.json'))).toHaveProperty(name, env)
  }
})

test('what is a secret whatever it holds is no plain value', () => {
  for (const name of ['kafkaSaslPassword', 'httpToken', 'httpPassword', 'opensearchPassword', 'alertHook'])
    expect(name in plainSettings, name).toBe(false)
  for (const name of ['redisUrl', 'opensearchUrl']) expect(name in plainSettings, name).toBe(true)
})

test('the kinds of the table are kinds of the schema', () => {
  expect(plainSettings.threads).toMatchObject({ type: ['integer', 'null'], minimum: 1, maximum: 64 })
  expect(plainSettings.kafkaTls).toMatchObject({ type: ['boolean', 'null'] })
  expect(plainSettings.retryJitter).toMatchObject({ type: ['number', 'string', 'null'], maximum: 1 })
  expect(plainSettings.logLevel).toMatchObject({ enum: ['debug', 'info', 'warn', 'error'] })
  expect(plainSettings.kafkaBrokers).toMatchObject({ type: ['array', 'string', 'null'] })
  expect(new RegExp(String(plainSettings.lease?.pattern)).test('1.5m')).toBe(true)
  expect(new RegExp(String(plainSettings.lease?.pattern)).test('soon')).toBe(false)
  expect(new RegExp(String(plainSettings.mailboxBytes?.pattern)).test('16MiB')).toBe(true)
})

test('an option has the variable that the templates give it', () => {
  const helpers = textOf('templates/_helpers.tpl')
  const [, pattern = '', replacement = ''] = /regexReplaceAll "(\S+)" \. "(\S+)" \| upper/.exec(helpers) ?? []
  const ofTemplate = (name: string) =>
    `MILLRACE_OPTION_${name.replace(new RegExp(pattern, 'g'), replacement.replace(/\$\{(\d)\}/g, '$$$1')).toUpperCase()}`
  for (const name of ['token_key', 'tokenKey', 'apiURL2x', 'a1B', 'x'])
    expect(ofTemplate(name)).toBe(optionVariable(name))
})

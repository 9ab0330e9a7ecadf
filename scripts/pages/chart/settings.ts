/** The settings table as the Helm chart knows it: which setting may stand where in the values, and under which JSON Schema. */
import type { Setting } from '../../../cluster/settings/table.ts'
import { settingsTable } from '../../../cluster/settings.ts'

export type Schema = Readonly<Record<string, unknown>>

type Entry = readonly [name: string, setting: Setting<unknown>]

const entries = Object.entries(settingsTable) as readonly Entry[]

/** The chart says these itself (ports, addresses, what `pipeline` holds), or they are none of a deployment's. */
const OWN = [
  'advertisedHost',
  'dataDir',
  'httpHost',
  'httpPort',
  'httpTokenPath',
  'inject',
  'metricsHost',
  'metricsPort',
  'partitions',
  'pipeline',
]

const SAMPLE_URL = 'https://host:1'
/** A secret whatever it holds, or a URL that is one where a login stands in it. */
const isAlwaysSecret = ({ hide }: Setting<unknown>): boolean =>
  hide !== undefined && hide(SAMPLE_URL) !== SAMPLE_URL
const isFile = ({ doc }: Setting<unknown>): boolean => doc.startsWith('File ')
const isOwn = (name: string): boolean => OWN.includes(name)

const ofSchema = ({ kind }: Setting<unknown>): Schema => {
  const range = /^(\d+) to (\d+)$/.exec(kind.doc)
  // `--set` takes any number with a point for a text.
  if (kind.doc === '0 to 1')
    return { type: ['number', 'string'], minimum: 0, maximum: 1, pattern: '^(0?\\.\\d+|[01])$' }
  if (range !== null) return { type: 'integer', minimum: Number(range[1]), maximum: Number(range[2]) }
  if (kind.doc === 'true or false') return { type: 'boolean' }
  if (kind.doc === 'duration')
    return { type: ['string', 'integer'], pattern: '^\\d+(\\.\\d+)?(ms|s|m|h)?$', minimum: 0 }
  if (kind.doc === 'size') return { type: ['string', 'integer'], pattern: '^\\d+ ?([KMG]iB|B)?$', minimum: 1 }
  if (kind.doc === 'host:port,host:port' || kind.doc.endsWith('URLs'))
    return { type: ['array', 'string'], items: { type: 'string' } }
  if (/^[a-z0-9-]+(, [a-z0-9-]+)+$/.test(kind.doc)) return { enum: kind.doc.split(', ') }
  return { type: 'string' }
}

const described = ([name, setting]: Entry): readonly [string, Schema] => {
  const schema = ofSchema(setting)
  const { enum: choices, type } = schema
  // An empty one counts as none, as in the environment.
  const orNone = choices === undefined ? { ...schema, type: [type, 'null'].flat() } : schema
  return [name, { description: `${setting.doc}. ${setting.env}, ${setting.kind.doc}`, ...orNone }]
}

/** `settings`: what may stand in the values by itself. */
export const plainSettings: Readonly<Record<string, Schema>> = Object.fromEntries(
  entries.filter(([name, one]) => !isOwn(name) && !isFile(one) && !isAlwaysSecret(one)).map(described),
)

/** `secretKeys`: what may stand in a Secret. */
export const secretSettings: Readonly<Record<string, Schema>> = Object.fromEntries(
  entries
    .filter(([name, { hide }]) => !isOwn(name) && hide !== undefined)
    .map(([name, { doc, env }]) => [
      name,
      { description: `Key in existingSecret. ${doc}. ${env}_FILE`, $ref: '#/$defs/key' },
    ]),
)

/** `settingFiles`: paths of files that a Secret or a ConfigMap brings. */
export const fileSettings: Readonly<Record<string, Schema>> = Object.fromEntries(
  entries
    .filter(([name, one]) => !isOwn(name) && isFile(one))
    .map(([name, { doc, env }]) => [name, { description: `${doc}. ${env}`, $ref: '#/$defs/file' }]),
)

/** Setting -> its variable, for the templates. */
export const chartSettings = (): string => {
  const known = entries.filter(([name]) => !isOwn(name)).map(([name, { env }]) => [name, env])
  return `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`
}

/**
 * JSON Schemas of Kubernetes' own kinds and of the CRDs that the chart uses, for kubeconform: made once from the modules pinned in
 * tools/schemas.json (Kubernetes' swagger, the operators' CRD files). Strict: a field that the API does not know is refused.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { withLock } from '../../cli/services/lock.ts'
import { MillraceError } from '../../cluster/errors.ts'
import { go, type Log } from './go-build.ts'

/** Where Go is called; nothing of that module is needed. */
const place = { title: 'schemas of Kubernetes', folder: 'tools' }
const pins = fileURLToPath(new URL('../../tools/schemas.json', import.meta.url))
/** Folder of the CRD files in an operator's module. */
const crdFolders = ['config/crd/bases', 'example/prometheus-operator-crd']

type Json = { readonly [name: string]: unknown }

interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** @returns the folder of the schemas: `<kind>-<first word of the group>-<version>.json`, as kubeconform asks for them */
export const ensureSchemas = async (dataDir: string, log: Log): Promise<string> => {
  const text = await readFile(pins, 'utf8')
  // What is made follows from the pins and from this file.
  const key = createHash('sha256')
    .update(text)
    .update(await readFile(fileURLToPath(import.meta.url)))
  const folder = join(resolve(dataDir), 'tools', `schemas-${key.digest('hex').slice(0, 12)}`)
  const made = join(folder, 'schemas')
  if (!existsSync(made))
    await withLock(folder, 10 * 60_000, async () => {
      if (!existsSync(made)) await make(made, JSON.parse(text) as Record<string, string>, log)
    })
  return made
}

const make = async (folder: string, modules: Record<string, string>, log: Log): Promise<void> => {
  log('downloading the schemas of Kubernetes and of its operators with Go (about 25 MB, first time only)')
  const partial = `${folder}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  for (const [module, sum] of Object.entries(modules)) {
    const source = await download(module, sum)
    const swagger = join(source, 'api/openapi-spec/swagger.json')
    const schemas = existsSync(swagger) ? await kindsOf(swagger) : await crdsIn(source)
    for (const [name, schema] of schemas) await writeFile(join(partial, name), JSON.stringify(schema))
  }
  await rename(partial, folder)
}

const failure = (detail: string) =>
  new MillraceError('services', detail, { remedy: 'check the network, or tools/schemas.json' })

/** Folder of a module's source. */
const download = async (module: string, sum: string): Promise<string> => {
  const { code, stdout, stderr } = await go(place, ['mod', 'download', '-json', module])
  if (code !== 0) throw failure(`Go cannot download ${module}: ${stderr.trim().split('\n').at(-1)}`)
  const { Dir, Sum } = JSON.parse(stdout) as { readonly Dir: string; readonly Sum: string }
  if (Sum !== sum) throw failure(`${module} is not what was pinned: ${Sum}`)
  return Dir
}

export const fileOf = ({ group, version, kind }: Kind): string =>
  [kind, ...(group === '' ? [] : [group.split('.')[0]]), version].join('-').toLowerCase().concat('.json')

const REF = '#/definitions/'
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity'

interface Definition extends Json {
  readonly 'x-kubernetes-group-version-kind'?: readonly Kind[]
}

const kindsOf = async (swagger: string): Promise<ReadonlyMap<string, Json>> => {
  const { definitions } = JSON.parse(await readFile(swagger, 'utf8')) as {
    readonly definitions: Readonly<Record<string, Definition>>
  }
  const strict = new Map(
    Object.entries(definitions).map(([name, one]) => [
      name,
      name === QUANTITY ? { type: ['string', 'number'] } : (strictly(one) as Json),
    ]),
  )
  return new Map(
    Object.entries(definitions).flatMap(([name, { 'x-kubernetes-group-version-kind': kinds = [] }]) => {
      const [kind, another] = kinds
      // Such as DeleteOptions, which belong to every group.
      if (kind === undefined || another !== undefined) return []
      return [[fileOf(kind), standalone(name, kind, strict)] as const]
    }),
  )
}

/** A kind with all that it refers to. */
const standalone = (name: string, kind: Kind, all: ReadonlyMap<string, Json>): Json => {
  const found = new Map<string, Json>()
  const add = (one: string): void => {
    const definition = all.get(one)
    if (found.has(one) || definition === undefined) return
    found.set(one, definition)
    for (const [, next = ''] of JSON.stringify(definition).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g))
      add(next)
  }
  add(name)
  return { allOf: [{ $ref: REF + name }, named(kind)], definitions: Object.fromEntries(found) }
}

const named = ({ group, version, kind }: Kind): Json => ({
  required: ['apiVersion', 'kind', 'metadata'],
  properties: {
    apiVersion: { const: group === '' ? version : `${group}/${version}` },
    kind: { const: kind },
  },
})

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** OpenAPI as JSON Schema: no unknown fields, `int-or-string` as what it says; fields called like keywords stay fields. */
const strictly = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(strictly)
  if (!isObject(value)) return value
  if (value.format === 'int-or-string' || value['x-kubernetes-int-or-string'] === true)
    return { type: ['integer', 'string'] }
  const { properties, ...rest } = value
  const made: Json = Object.fromEntries(Object.entries(rest).map(([name, one]) => [name, strictly(one)]))
  if (!isObject(properties)) return made
  const fields = Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, strictly(one)]))
  const isOpen =
    value.additionalProperties !== undefined || value['x-kubernetes-preserve-unknown-fields'] === true
  return { ...made, properties: fields, ...(!isOpen && { additionalProperties: false }) }
}

interface Crd {
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly {
      readonly name: string
      readonly schema: { readonly openAPIV3Schema: Json }
    }[]
  }
}

const crdsIn = async (source: string): Promise<ReadonlyMap<string, Json>> => {
  const folder = crdFolders.map((name) => join(source, name)).find(existsSync)
  if (folder === undefined) throw failure(`no CRDs in ${source}`)
  const schemas = new Map<string, Json>()
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.yaml'))) {
    const { spec } = parse(await readFile(join(folder, name), 'utf8')) as Crd
    for (const { name: version, schema } of spec.versions) {
      const kind = { group: spec.group, version, kind: spec.names.kind }
      const { properties, ...rest } = schema.openAPIV3Schema
      const open = strictly({
        ...rest,
        properties: { ...(properties as Json), metadata: { type: 'object' } },
      })
      schemas.set(fileOf(kind), { allOf: [open, named(kind)] })
    }
  }
  return schemas
}

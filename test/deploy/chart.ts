/** The Helm chart as tests see it: rendered by the real helm, in a home of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type Ran, run } from '../../cli/services/run.ts'
import { ensureGoTools, type GoTool } from '../support/go-tools.ts'
import { ensureSchemas } from '../support/kube-schemas.ts'

const root = join(import.meta.dirname, '../..')
const dataDir = join(root, '.millrace')
export const chart = join(root, 'deploy/helm/millrace')

/** What people may start from, and what every check runs on. */
export const examples = ['minimal', 'full', 'external'] as const
export const valuesOf = (name: (typeof examples)[number]): string => join(chart, `ci/${name}-values.yaml`)

const home = mkdtempSync(join(tmpdir(), 'millrace-helm-'))
afterAll(() => rmSync(home, { recursive: true }))
const env = { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home, KUBECONFIG: '' }

const say = (line: string) => console.error(line)

export const toolPath = async (name: GoTool): Promise<string> => (await ensureGoTools(dataDir, say))[name]
export const schemas = (): Promise<string> => ensureSchemas(dataDir, say)
export const tool = async (name: GoTool, args: readonly string[]): Promise<Ran> =>
  run(await toolPath(name), args, { cwd: root, env })

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: { readonly template?: { readonly spec: PodSpec } } & Readonly<Record<string, unknown>>
}

export interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
}

interface Probe {
  readonly httpGet: { readonly path: string }
}

export interface Container {
  readonly name: string
  readonly args?: readonly string[]
  readonly command?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
}

/** `helm template`, whatever comes of it. */
export const template = (args: readonly string[], from = chart): Promise<Ran> =>
  tool('helm', ['template', 'it', from, '--namespace', 'streams', ...args])

/** @throws Error with what helm said, where it refuses */
export const rendered = async (args: readonly string[], from = chart): Promise<readonly Manifest[]> => {
  const { code, stdout, stderr } = await template(args, from)
  if (code !== 0) throw new Error(stderr)
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null)
}

/** Manifests whose pods are Millrace's own processes, with their container. */
export const processesIn = (manifests: readonly Manifest[]): readonly (readonly [Manifest, Container])[] =>
  manifests.flatMap((manifest) => {
    const container = manifest.spec?.template?.spec.containers[0]
    return container === undefined ? [] : [[manifest, container] as const]
  })

/** Where the pods of a manifest find what Kubernetes puts there. */
export interface Place {
  /** Stands for `/etc/millrace/secrets`. */
  readonly folder: string
  readonly podIP: string
  readonly secretOf: (variable: string) => string
}

/** A container's environment as Kubernetes would make it, its secrets written into a folder of ours. */
export const environmentOf = async (
  manifests: readonly Manifest[],
  { env = [] }: Container,
  { folder, podIP, secretOf }: Place,
): Promise<Record<string, string>> => {
  const config = manifests.find(({ kind, data }) => kind === 'ConfigMap' && data?.MILLRACE_PIPELINE)
  const own: Record<string, string> = {}
  for (const { name, value = podIP } of env) {
    const isSecret = value.startsWith('/etc/millrace/secrets/')
    own[name] = isSecret ? join(folder, basename(value)) : value
    if (isSecret) await writeFile(own[name], secretOf(name))
  }
  return { ...config?.data, ...own }
}

/** docker-compose.yml as Compose itself resolves it, by its own loader (tools/compose), which also holds it against the schema. */
import { join } from 'node:path'
import { run } from '../../cli/services/run.ts'
import { root } from '../house/tree.ts'
import { ensureComposeLoader } from '../support/deploy-tools.ts'

export interface Mount {
  readonly type: string
  /** A path of this machine, or the name of a volume. */
  readonly source: string
  readonly target: string
  readonly read_only?: boolean
}

export interface Port {
  readonly host_ip?: string
  readonly published?: string
  readonly target: number
}

export interface Service {
  readonly image: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly container_name?: string
  readonly entrypoint: readonly string[] | null
  readonly command: readonly string[] | null
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] }
  readonly ports?: readonly Port[]
  readonly networks: Readonly<Record<string, unknown>>
  readonly volumes?: readonly Mount[]
  readonly profiles?: readonly string[]
  readonly restart?: string
  readonly stop_grace_period?: string
  readonly user?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
}

export interface Project {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: Readonly<Record<string, unknown>>
}

export const composeFile = join(root, 'docker-compose.yml')

/** @throws Error with what the loader said */
export const load = async (
  profiles: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  file = composeFile,
): Promise<Project> => {
  const args = [
    ...profiles.flatMap((name) => ['-profile', name]),
    ...Object.entries(env).flatMap(([name, value]) => ['-env', `${name}=${value}`]),
    file,
  ]
  const { code, stdout, stderr } = await run(await ensureComposeLoader(), args)
  if (code !== 0) throw new Error(stderr.trim())
  return JSON.parse(stdout) as Project
}

/** Services that run our image. */
export const ours = ({ services }: Project): readonly (readonly [string, Service])[] =>
  Object.entries(services).filter(([, { build }]) => build !== undefined)

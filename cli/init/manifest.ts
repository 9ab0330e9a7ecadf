/** The settings files of a new project: the versions are those that Millrace itself is built and tested with. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'

interface OwnManifest {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const require = createRequire(import.meta.url)
const manifestPath = require.resolve('millrace/package.json')
const own = require(manifestPath) as OwnManifest
const home = dirname(manifestPath)

/** The launcher tells a clone by the same sign. */
export const isClone = existsSync(join(home, 'cli/main.ts'))
/** Only in a clone. */
export const buildScript = join(home, 'scripts/build.ts')

/**
 * What the new project depends on: the clone or the tarball that this Millrace came from, else its version, so that it gets
 * the Millrace that made it.
 */
export const ownSpec = (): string => (isClone ? `file:${home}` : (fileSpec() ?? `^${own.version}`))

/** npm's own record says from which file a package was installed; of one from a registry it says no file. */
const fileSpec = (): string | undefined => {
  const modules = dirname(home)
  const record = join(modules, '.package-lock.json')
  if (!existsSync(record)) return undefined
  const { packages } = JSON.parse(readFileSync(record, 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly resolved?: string }>>
  }
  const from = packages[`${basename(modules)}/${basename(home)}`]?.resolved
  if (from === undefined || !from.startsWith('file:')) return undefined
  const file = resolve(dirname(modules), from.slice('file:'.length))
  return existsSync(file) ? `file:${file}` : undefined
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

const DEVELOPING = ['@types/node', 'typescript', 'vitest']

/** Packages of ours that such sources import as well. */
const packagesIn = (sources: readonly string[]): readonly string[] =>
  Object.keys(own.dependencies).filter((name) =>
    sources.some((text) => text.includes(` from '${name}'`) || text.includes(` from '${name}/`)),
  )

const pinned = (names: readonly string[], versions: Readonly<Record<string, string>>) =>
  Object.fromEntries(names.map((name) => [name, versions[name]]))

export const packageJson = (name: string, millrace: string, sources: readonly string[]): string =>
  json({
    name,
    version: '0.0.0',
    private: true,
    type: 'module',
    engines: { node: own.engines.node },
    scripts: { dev: 'millrace dev ./pipeline.ts', test: 'vitest run', check: 'tsc' },
    dependencies: { millrace, ...pinned(packagesIn(sources), own.dependencies) },
    devDependencies: pinned(DEVELOPING, own.devDependencies),
  })

/** Node runs the `.ts` as it is, so what Node cannot run is refused. */
export const tsconfigJson = (): string =>
  json({
    compilerOptions: {
      target: 'es2024',
      module: 'nodenext',
      types: ['node'],
      strict: true,
      noUncheckedIndexedAccess: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      noEmit: true,
    },
    include: ['**/*.ts'],
  })

/** A folder's name as a package may be called. */
export const packageName = (folder: string): string =>
  basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '') || 'pipeline'

/**
 * `npm run build`: what the package ships, in `dist/`. Node refuses `.ts` under node_modules, so the code goes as `.js` with its
 * `.d.ts`; whatever it finds beside itself goes along, so that every path in it stays true. The folder appears whole, by rename.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, globSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const config = join(project, 'scripts/tsconfig.build.json')

/** Sources that people read: `millrace init` starts from them. */
const SOURCES = ['pipelines/*/*.ts', 'cli/init/template/*.ts']
const NO_SOURCE = /^pipelines\/(api|testing)\//
/** Of the deployment a package needs what its own commands start, and what people import: not what builds or runs an image. */
const DEPLOYMENT = /^deploy\/(?!local\/|opensearch\/)/
/** Stands where it is, in a clone and in the package alike. */
const LAUNCHER = 'cli/millrace.mjs'

/** Folders at the top that are shipped: all but those that the compiler's settings leave out. */
const shippedFolders = (): readonly string[] => {
  const { exclude } = JSON.parse(readFileSync(config, 'utf8')) as { readonly exclude: readonly string[] }
  return readdirSync(project, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .filter((name) => !exclude.includes(`../${name}`))
}

/** Paths of the files that go as they are: scripts of Redis, settings of other programs, templates, sources. */
export const companions = (): readonly string[] => {
  const files = globSync(
    shippedFolders().map((folder) => `${folder}/**/*.*`),
    { cwd: project },
  )
  const sources = globSync([...SOURCES], { cwd: project }).filter((path) => !NO_SOURCE.test(path))
  const beside = files.filter((path) => !path.endsWith('.ts') && path !== LAUNCHER && !DEPLOYMENT.test(path))
  return [...beside, ...sources].sort()
}

/** @throws Error with what the compiler said */
export const build = (): void => {
  const target = join(project, 'dist')
  const partial = join(project, '.millrace', `dist-${process.pid}`)
  try {
    compile(partial)
    for (const path of companions()) cpSync(join(project, path), join(partial, path))
    rmSync(target, { recursive: true, force: true })
    renameSync(partial, target)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
}

const compile = (outDir: string): void => {
  const compiler = join(project, 'node_modules/typescript/bin/tsc')
  const ran = spawnSync(process.execPath, [compiler, '-p', config, '--outDir', outDir], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`the compiler refuses:\n${ran.stdout}${ran.stderr}`)
}

if (import.meta.main) build()

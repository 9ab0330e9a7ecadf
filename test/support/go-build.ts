/**
 * Go programs of the tests: a module under tools/ and what it pins, built once into `<data folder>/tools/<name>-<hash>/bin`. The hash is of
 * what they are made from. Law: two runs at once build once, and what is half built never looks built.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from '../../cli/services/lock.ts'
import { type Ran, run } from '../../cli/services/run.ts'
import { which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Minutes on idle cores; a busy machine may take many times that. */
const BUILD_MS = 60 * 60_000

export type Log = (line: string) => void
type Environment = Readonly<Record<string, string | undefined>>

export interface GoModule {
  /** How its folder of programs begins. */
  readonly name: string
  /** Whom people miss without it, e.g. `Jaeger`. */
  readonly title: string
  /** From the root. Its go.mod says the oldest Go. */
  readonly folder: string
  /** What `go build` is told to make: a package, or `tool` for all that go.mod names so. */
  readonly target: string
  readonly flags?: readonly string[]
}

type Place = Pick<GoModule, 'title' | 'folder'>

/** @returns the folder of the programs. @throws MillraceError `services` that says in one line what is missing */
export const ensureGoModule = async (
  module: GoModule,
  dataDir: string,
  log: Log,
  env: Environment = process.env,
): Promise<string> => {
  const folder = join(resolve(dataDir), 'tools', `${module.name}-${await hashOf(module.folder)}`)
  const bin = join(folder, 'bin')
  if (existsSync(bin)) return bin
  const go = await newEnoughGo(module, env)
  await withLock(folder, BUILD_MS, async () => {
    if (!existsSync(bin)) await build(module, go, bin, log)
  })
  return bin
}

/** Of go.sum, go.mod and sources. */
const hashOf = async (folder: string): Promise<string> => {
  const names = (await readdir(join(root, folder))).filter((name) => /\.(go|mod|sum)$/.test(name)).sort()
  const hash = createHash('sha256')
  for (const name of names) hash.update(await readFile(join(root, folder, name))).update('\0')
  return hash.digest('hex').slice(0, 12)
}

const lackOf = (module: Place, why: string, remedy: string): MillraceError =>
  new MillraceError('services', `no ${module.title}: ${why}`, { remedy })

const newEnoughGo = async (module: Place, env: Environment): Promise<string> => {
  const text = await readFile(join(root, module.folder, 'go.mod'), 'utf8')
  const [, major = '', minor = ''] = /^go (\d+)\.(\d+)/m.exec(text) ?? []
  const remedy = `install Go ${major}.${minor} or newer`
  const go = which('go', env)
  if (go === undefined) throw lackOf(module, 'Go is missing', remedy)
  const { stdout } = await run(go, ['env', 'GOVERSION'], { env: { ...env, GOTOOLCHAIN: 'local' } })
  const found = Number(new RegExp(`^go${major}\\.(\\d+)`).exec(stdout)?.[1] ?? 0)
  if (found >= Number(minor)) return go
  throw lackOf(module, `Go is too old (${stdout.trim() || 'no version'})`, remedy)
}

const build = async (module: GoModule, go: string, bin: string, log: Log): Promise<void> => {
  log(`building ${module.title} with Go (minutes, first time only)`)
  const partial = `${bin}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  const args = ['build', ...(module.flags ?? []), '-ldflags=-s -w', '-o', `${partial}/`, module.target]
  const ran = await goAt(go, module.folder, args)
  if (ran.code !== 0)
    throw lackOf(module, `go build says: ${lastLine(ran) || 'nothing for an hour'}`, 'check the network')
  await rename(partial, bin)
}

/** Settings of whoever runs this count only where they say how modules are reached. The machine is shared with tests that wait. */
const goAt = (go: string, folder: string, args: readonly string[]): Promise<Ran> =>
  run('nice', ['-n', '10', go, ...args], {
    cwd: join(root, folder),
    timeoutMs: BUILD_MS,
    env: { GOFLAGS: '-trimpath -buildvcs=false -mod=readonly', CGO_ENABLED: '0', GOWORK: 'off' },
  })

const lastLine = ({ stdout, stderr }: Ran): string => (stderr || stdout).trim().split('\n').at(-1) ?? ''

/** `go mod download` and the like, for that module. @throws MillraceError `services` */
export const go = async (module: Place, args: readonly string[]): Promise<Ran> =>
  goAt(await newEnoughGo(module, process.env), module.folder, args)

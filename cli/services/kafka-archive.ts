/** Makes the AppCDS archive: a broker runs once on a scratch folder, and Java writes down the classes it loaded. */
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { MillraceError } from '../../cluster/errors.ts'
import type { KafkaInstall } from './java.ts'
import { startKafkaCluster } from './kafka.ts'

/** It is written at the end of the run: some 2 s, and many times that on a busy machine. */
const WRITE_MS = 60_000

/** Returns why there is no archive, or undefined when there is one. Kafka runs without it, only slower. */
export const trainArchive = async (install: KafkaInstall, archive: string): Promise<string | undefined> => {
  const scratch = `${archive}.${process.pid}`
  const partial = `${scratch}.jsa`
  try {
    const jvm = [`-XX:ArchiveClassesAtExit=${partial}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off']
    const cluster = await startKafkaCluster({ install, folder: scratch, jvm })
    await cluster.stop(WRITE_MS)
    if (!existsSync(partial)) return 'Java wrote no class archive'
    await rename(partial, archive)
    return undefined
  } catch (error) {
    if (error instanceof MillraceError) return error.message
    throw error
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

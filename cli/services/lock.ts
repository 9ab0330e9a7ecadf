/** One start at a time under one name, also after a crash: a lock whose holder is dead counts for nothing. */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MillraceError } from '../../cluster/errors.ts'
import { isAlive, markOf, type ProcessMark } from './state.ts'

export const withLock = async <T>(folder: string, timeoutMs: number, use: () => Promise<T>): Promise<T> => {
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'start.lock')
  const deadline = Date.now() + timeoutMs
  while (!(await take(file))) {
    const holder = await holderOf(file)
    if (holder !== undefined && !isAlive(holder)) await rm(file, { force: true })
    else if (Date.now() > deadline)
      throw new MillraceError('services', `another process is still starting or stopping them (${file})`)
    await delay(50)
  }
  try {
    return await use()
  } finally {
    await rm(file, { force: true })
  }
}

/** The file appears with its content or not at all: a crash in between leaves no lock without a holder. */
const take = async (file: string): Promise<boolean> => {
  const own = `${file}.${process.pid}`
  await writeFile(own, JSON.stringify(markOf('lock', process.pid)))
  try {
    await link(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(own, { force: true })
  }
}

/** Undefined where it has just gone. */
const holderOf = async (file: string): Promise<ProcessMark | undefined> => {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : (JSON.parse(text) as ProcessMark)
}

/** A new project's folder. Law: all of it or nothing; what stood there before is never touched. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import type { Files } from './source.ts'

/** `git init` may come first. */
const MAY_BE_THERE = '.git'

/** @throws MillraceError `usage` where something stands there */
export const requireEmpty = (folder: string): void => {
  if (!existsSync(folder)) return
  const found = statSync(folder).isDirectory()
    ? readdirSync(folder).filter((name) => name !== MAY_BE_THERE)
    : ['no folder']
  if (found.length === 0) return
  const why = statSync(folder).isDirectory() ? `is not empty (${found[0]} is there)` : 'is a file'
  throw new MillraceError('usage', `${folder} ${why}`, { remedy: 'name a new or empty folder' })
}

/** @throws MillraceError `usage` where it cannot be written; nothing is left of it then */
export const writeAll = async (folder: string, files: Files): Promise<void> => {
  const made: string[] = []
  const makeFolder = async (path: string) => {
    const first = await mkdir(path, { recursive: true })
    if (first !== undefined) made.push(first)
  }
  try {
    for (const [path, text] of files) {
      const file = join(resolve(folder), path)
      await makeFolder(dirname(file))
      await writeFile(file, text, { flag: 'wx' })
      made.push(file)
    }
  } catch (error) {
    for (const path of made.reverse()) await rm(path, { recursive: true, force: true })
    throw new MillraceError('usage', `cannot write to ${folder}: ${messageOf(error)}`, {
      remedy: 'name a folder that you may write to',
      cause: error,
    })
  }
}

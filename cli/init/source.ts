/**
 * A pipeline of ours as a user's own source: what it takes from `pipelines/api` comes from `millrace`, and every other file
 * of ours that it imports comes along, so that all of it can be edited.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path/posix'

/** Texts by path within the user's folder. */
export type Files = ReadonlyMap<string, string>

/** The repository, or `dist/` of the package: the sources that people read are shipped at the same paths. */
const ROOT = new URL('../../', import.meta.url)
const API = /^pipelines\/api\//
const PACKAGE = 'millrace'

/** Default imports are of TypeBox alone: ours are all named. */
const IMPORT = /^import (type )?(\w+|\{[^}]*\}) from '([^']+)'\n/gm

/** @param entry path of the pipeline's module, without extension, from the root */
export const userSource = async (entry: string): Promise<Files> => {
  const files = new Map<string, string>()
  const home = `${dirname(entry)}/`
  const placeOf = (path: string) =>
    path.startsWith(home) ? path.slice(home.length) : path.replace(/^pipelines\//, '')
  const take = async (path: string): Promise<void> => {
    const place = placeOf(path)
    if (files.has(place)) return
    const { text, needs } = rewritten(await readFile(new URL(path, ROOT), 'utf8'), path, placeOf)
    files.set(place, text)
    for (const needed of needs) await take(needed)
  }
  await take(`${entry}.ts`)
  return files
}

/** `needs`: files of ours that it still imports. */
const rewritten = (text: string, path: string, placeOf: (path: string) => string) => {
  const ofPackage: string[] = []
  const needs: string[] = []
  let packageStands = -1
  const rest = text.replace(IMPORT, (statement, type = '', clause: string, from: string, at: number) => {
    const target = from.startsWith('.') ? join(dirname(path), from) : from
    if (target === 'typebox' || API.test(target)) {
      if (packageStands < 0) packageStands = at
      ofPackage.push(...namesIn(clause).map((name) => type + name))
      return packageStands === at ? MARK : ''
    }
    if (!from.startsWith('.')) return statement
    needs.push(target)
    const there = relative(dirname(placeOf(path)), placeOf(target))
    return `import ${type}${clause} from '${there.startsWith('.') ? there : `./${there}`}'\n`
  })
  return { text: rest.replace(MARK, () => packageImport(ofPackage)), needs }
}

/** Holds the place of the one import of the package. */
const MARK = '\0'

const namesIn = (clause: string): readonly string[] =>
  clause
    .replace(/[{}]/g, '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

const WIDTH = 110

const packageImport = (names: readonly string[]): string => {
  const plain = (name: string) => name.replace(/^type /, '').toLowerCase()
  const sorted = [...new Set(names)].toSorted((a, b) => (plain(a) < plain(b) ? -1 : 1))
  const line = `import { ${sorted.join(', ')} } from '${PACKAGE}'\n`
  return line.length <= WIDTH
    ? line
    : `import {\n${sorted.map((name) => `  ${name},\n`).join('')}} from '${PACKAGE}'\n`
}

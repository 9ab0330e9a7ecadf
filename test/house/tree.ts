/** The files of the repository, tracked or new, and what each of them imports. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
/** Paths from the root. A file deleted but not committed is still listed by git. */
export const files: readonly string[] = [...new Set(listed.split('\0'))]
  .filter((path) => path !== '' && existsSync(join(root, path)))
  .sort()

export const textOf = (path: string): string => readFileSync(join(root, path), 'utf8')

export const isCode = (path: string): boolean => /\.(ts|mjs)$/.test(path)
export const isTest = (path: string): boolean => path.startsWith('test/')
/** What runs at a user's: no tests, no bench, no scripts. */
export const isProduction = (path: string): boolean =>
  isCode(path) && /^(cli|workers|coordinator|audit|pipelines|cluster|letters|sinks|telemetry)\//.test(path)

export const code = files.filter(isCode)

/** Statements at the begin of a line (also over several lines), dynamic imports, and `require`. */
const IMPORTS = [
  /^(?:import|export)\b[^'"`;=]*?\bfrom\s+'([^']+)'/gm,
  /^import\s+'([^']+)'/gm,
  /\bimport\('([^']+)'\)/g,
  /\brequire\('([^']+)'\)/g,
]

export interface Import {
  readonly from: string
  /** A path from the root, or the name of a package. */
  readonly to: string
  readonly own: boolean
}

export const importsOf = (path: string): readonly Import[] => {
  const text = textOf(path)
  const names = IMPORTS.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = '']) => name))
  return names.map((name) =>
    name.startsWith('.')
      ? { from: path, to: normalize(join(dirname(path), name)), own: true }
      : { from: path, to: name, own: false },
  )
}

export const described = ({ from, to }: Import): string => `${from} -> ${to}`

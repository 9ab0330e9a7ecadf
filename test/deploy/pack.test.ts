/** What `npm pack` would hold, packed from a copy of the tracked files: whoever builds `dist/` meanwhile is not disturbed. */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../cli/services/run.ts'
import { files, isProduction, root } from '../house/tree.ts'

interface Packed {
  readonly files: readonly { readonly path: string; readonly size: number }[]
  readonly unpackedSize: number
}

const pack = async (folder: string): Promise<Packed> => {
  for (const path of files) cpSync(join(root, path), join(folder, path), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const { code, stdout, stderr } = await run('npm', ['pack', '--dry-run', '--json'], { cwd: folder })
  expect(code, stderr).toBe(0)
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [Packed]
  return packed
}

test('the package holds the program, its documentation and nothing of how it is made, tested or deployed', {
  timeout: 180_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pack-'))
  try {
    const packed = await pack(folder)
    const paths = packed.files.map(({ path }) => path)
    const top = new Set(paths.map((path) => path.split('/')[0]))
    expect([...top].sort()).toEqual(
      ['CHANGELOG.md', 'LICENSE', 'README.md', 'cli', 'dist', 'docs', 'package.json'].sort(),
    )
    expect(paths.filter((path) => path.startsWith('cli/'))).toEqual(['cli/millrace.mjs'])
    const built = new Set(paths.filter((path) => path.startsWith('dist/')))
    const code = files.filter(
      (path) => isProduction(path) && path.endsWith('.ts') && !/^cli\/init\/template\//.test(path),
    )
    expect(
      code.map((path) => `dist/${path.replace(/ts$/, 'js')}`).filter((path) => !built.has(path)),
    ).toEqual([])
    const alien =
      /^dist\/(test|bench|docs|examples|scripts|tools|\.|deploy\/(?!local\/|opensearch\/))|\.test\.(js|d\.ts)$|\.env|\.log$|lock\.json$/
    expect(paths.filter((path) => alien.test(path))).toEqual([])
    expect(packed.unpackedSize).toBeLessThan(5_000_000)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

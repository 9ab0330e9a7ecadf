import { expect, test } from 'vitest'
import { companions } from '../../scripts/build.ts'
import { files, isProduction, textOf } from '../house/tree.ts'

test('what the code finds beside itself is shipped with it: scripts, settings of other programs, templates', () => {
  const shipped = companions()
  expect(shipped).toEqual(
    expect.arrayContaining([
      'cli/init/template/Dockerfile.txt',
      'cli/init/template/pipeline.ts',
      'cli/services/watchdog.mjs',
      'cluster/redis/scripts/views-publish.lua',
      'deploy/local/compose.yml',
      'deploy/local/pom.xml',
      'pipelines/steps/masks.ts',
      'pipelines/user-login/pipeline.ts',
    ]),
  )
  const needed = files.filter((path) => isProduction(path) || /^deploy\/(local|opensearch)\//.test(path))
  const beside = needed.filter((path) => !path.endsWith('.ts') && path !== 'cli/millrace.mjs')
  expect(shipped).toEqual(expect.arrayContaining(beside))
})

test('what builds and runs an image is no part of the package', () =>
  expect(companions().filter((path) => /^(deploy\/(?!local\/|opensearch\/)|tools\/)/.test(path))).toEqual([]))

test('no test, page, example or code of the threads comes as a source', () => {
  const sources = companions().filter((path) => path.endsWith('.ts'))
  expect(
    sources.filter((path) => !/^(pipelines\/[\w-]+|cli\/init\/template)\/[\w-]+\.ts$/.test(path)),
  ).toEqual([])
  expect(companions().filter((path) => /^(test|docs|examples|bench)\/|^pipelines\/api\//.test(path))).toEqual(
    [],
  )
})

test('what the package names is shipped: its program, and the sources of what it exports', () => {
  const manifest = JSON.parse(textOf('package.json')) as {
    readonly bin: { readonly millrace: string }
    readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
    readonly files: readonly string[]
  }
  expect(files).toContain(manifest.bin.millrace)
  expect(manifest.files).toEqual(expect.arrayContaining(['dist', manifest.bin.millrace]))
  const named = Object.values(manifest.exports).flatMap((to) =>
    typeof to === 'string' ? [] : Object.values(to),
  )
  expect(named).toHaveLength(4)
  for (const path of named)
    expect(files).toContain(path.replace('./dist/', '').replace(/\.(d\.ts|js)$/, '.ts'))
})

import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageName } from '../../../cli/init/manifest.ts'
import { scaffold } from '../../../cli/init/scaffold.ts'
import { writeAll } from '../../../cli/init/write.ts'
import { loadPipeline } from '../../../pipelines/api/load.ts'
import { shippedPipelines } from '../../../pipelines/index.ts'
import { millrace } from '../millrace.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-init-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Without `--millrace` a clone would be built first. */
const init = (dir: string, ...more: readonly string[]) =>
  millrace(['init', dir, '--millrace', '^1.2.3', ...more])
const jsonIn = async (...path: readonly string[]) =>
  JSON.parse(await readFile(join(folder, ...path), 'utf8')) as unknown

test('a new folder gets all that a project needs, and the last lines say what to try', {
  timeout: 120_000,
}, async () => {
  const { code, stdout, stderr } = await init(join(folder, 'My Shop'))
  expect(code, stderr).toBe(0)
  expect((await readdir(join(folder, 'My Shop'))).sort()).toEqual([
    '.dockerignore',
    '.gitignore',
    'Dockerfile',
    'README.md',
    'package.json',
    'pipeline.test.ts',
    'pipeline.ts',
    'records.ndjson',
    'tsconfig.json',
  ])
  expect(await jsonIn('My Shop', 'package.json')).toMatchObject({
    name: 'my-shop',
    private: true,
    type: 'module',
    dependencies: { millrace: '^1.2.3' },
  })
  expect(stdout).toMatch(/Try next:\n {2}cd .*My Shop\n {2}npm install\n {2}npm test\n {2}npm run dev\n$/)
  expect(await readFile(join(folder, 'My Shop', 'README.md'), 'utf8')).not.toContain('{{')
})

test('an empty folder, or one with a fresh git repository, will do', { timeout: 120_000 }, async () => {
  await mkdir(join(folder, 'ready', '.git'), { recursive: true })
  expect(await init(join(folder, 'ready'))).toMatchObject({ code: 0 })
})

describe('one clear line, and nothing made', { timeout: 120_000 }, () => {
  test('where something stands already', async () => {
    await mkdir(join(folder, 'used'))
    await writeFile(join(folder, 'used', 'mine.txt'), 'mine')
    const { code, stderr } = await init(join(folder, 'used'))
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^millrace: \S+used is not empty \(mine\.txt is there\); name a new or empty folder\n$/,
    )
    expect(await readdir(join(folder, 'used'))).toEqual(['mine.txt'])
  })

  test('where it is a file', async () => {
    await writeFile(join(folder, 'file'), 'mine')
    expect(await init(join(folder, 'file'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^millrace: .* is a file; name a new or empty folder\n$/),
    })
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('mine')
  })

  test('where no shipped pipeline is called so, be it the path of one', async () => {
    for (const name of ['user-logn', './pipelines/user-login/pipeline.ts']) {
      const { code, stderr } = await init(join(folder, 'never'), '--from', name)
      expect(code).toBe(2)
      expect(stderr).toMatch(/^millrace: no shipped pipeline is called .*; did you mean user-login\? .*\n$/)
    }
    await expect(stat(join(folder, 'never'))).rejects.toThrow(/ENOENT/)
  })

  test('where writing breaks off half way', async () => {
    await mkdir(join(folder, 'half'))
    await writeFile(join(folder, 'half', 'b'), 'mine')
    const files = new Map([
      ['deep/a', ''],
      ['b', 'ours'],
    ])
    await expect(writeAll(join(folder, 'half'), files)).rejects.toMatchObject({
      code: 'usage',
      remedy: 'name a folder that you may write to',
    })
    expect(await readdir(join(folder, 'half'))).toEqual(['b'])
    expect(await readFile(join(folder, 'half', 'b'), 'utf8')).toBe('mine')
    await expect(writeAll(join(folder, 'half', 'b', 'c'), files)).rejects.toMatchObject({ code: 'usage' })
  })
})

test.each([
  ['/a/b/Shop', 'shop'],
  ['Größe (2)', 'gr-e-2'],
  ['..._', 'pipeline'],
  ['a/.hidden', 'hidden'],
])('a folder %s makes a package called %s', (path, name) => expect(packageName(path)).toBe(name))

describe.each([...shippedPipelines.keys()])('from %s', (name) => {
  test('its source is the user’s own: only packages and files of the project are imported', async () => {
    const files = await scaffold({ folder: 'x', millrace: '1.0.0', from: name })
    const manifest = JSON.parse(files.get('package.json') ?? '') as { dependencies: object }
    const sources = [...files].filter(([path]) => path.endsWith('.ts'))
    for (const [path, text] of sources) {
      const imports = [...text.matchAll(/^import .* from '([^']+)'$|^\} from '([^']+)'$/gm)].map(
        ([, one, other]) => one ?? other ?? '',
      )
      expect(text.match(/^import /gm) ?? [], path).toHaveLength(imports.length)
      for (const to of imports) {
        if (to.startsWith('.')) expect([...files.keys()], `${path}: ${to}`).toContain(join(path, '..', to))
        else if (!/^(millrace(\/testing)?|vitest|node:\w+(\/\w+)?)$/.test(to))
          expect(manifest.dependencies, `${path}: ${to}`).toHaveProperty([to.split('/')[0] ?? ''])
      }
    }
    expect(files.get('pipeline.ts')).toMatch(/^import .* from 'millrace'$|^\} from 'millrace'$/m)
    expect(files.get('pipeline.test.ts')).toMatch(/\['done', 'done', '(done|dead|drop)'\]/)
    const { pipeline } = await loadPipeline(name)
    expect(files.get('README.md')).toContain(`npx millrace send ${pipeline.topics.input} < records.ndjson`)
  })
})

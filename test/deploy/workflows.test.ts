/** What actionlint and our own rules say of the workflows. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { files, root, textOf } from '../house/tree.ts'
import { tool } from './chart.ts'

const workflows = files.filter((path) => /^\.github\/workflows\/.+\.yml$/.test(path))

test('actionlint has nothing to say of the workflows', async () => {
  expect(workflows.length).toBeGreaterThan(3)
  const paths = workflows.map((path) => join(root, path))
  expect(await tool('actionlint', ['-no-color', ...paths])).toMatchObject({ code: 0, stdout: '' })
  const folder = await mkdtemp(join(tmpdir(), 'millrace-lint-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const loose = join(folder, 'loose.yml')
  const step = ['$', '{{ github.nothing }}'].join('')
  await writeFile(
    loose,
    `on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${step}\n`,
  )
  expect((await tool('actionlint', ['-no-color', loose])).stdout).toContain('github.nothing')
})

test('an action is pinned by the SHA of its commit, with its version beside', () => {
  const uses = workflows.flatMap((path) =>
    [...textOf(path).matchAll(/^\s*(?:- )?uses: (.+)$/gm)].map(([, one = '']) => one),
  )
  expect(uses.length).toBeGreaterThan(10)
  expect(uses.filter((one) => !/^[\w-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(one))).toEqual([])
})

test('a workflow may read the repository and nothing else, unless a job says so; images of its jobs are pinned', () => {
  for (const path of workflows) {
    expect(textOf(path), path).toMatch(/^permissions:\n {2}contents: read\n(?! )/m)
    expect(textOf(path), path).toMatch(/^concurrency:$/m)
    for (const [, image] of textOf(path).matchAll(/^\s*(?:container|image): (\S+)$/gm))
      if (image !== 'millrace:local' && !image?.startsWith('ghcr.io/$'))
        expect(image, path).toMatch(/@sha256:[0-9a-f]{64}$/)
  }
})

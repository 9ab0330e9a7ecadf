/** What the field's own linters say of image, compose file and workflows. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../cli/services/run.ts'
import { files, root, textOf } from '../house/tree.ts'
import { ensureTool } from '../support/deploy-tools.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-lint-'))
})
afterAll(() => rm(folder, { recursive: true }))

const hadolint = async (path: string) =>
  run(await ensureTool('hadolint'), ['--no-color', '--failure-threshold', 'style', path])

test('hadolint has nothing to say, down to matters of style', async () => {
  expect(await hadolint(join(root, 'deploy/Dockerfile'))).toMatchObject({ code: 0, stdout: '' })
  const loose = join(folder, 'Dockerfile')
  await writeFile(loose, 'FROM node:latest\nRUN cd /tmp && npm install thing\n')
  expect((await hadolint(loose)).stdout).toMatch(/DL3007[\s\S]*DL3003/)
})

/** The order of keys is that of the page's readers: what it is, what it waits for, then the rest. */
const ORDER = ['service-keys-order', 'top-level-properties-order']
const dclint = (path: string) => {
  const but = ORDER.flatMap((rule) => ['--disable-rule', rule])
  const args = [
    join(root, 'node_modules/dclint/bin/dclint.cjs'),
    path,
    '--max-warnings',
    '0',
    '--no-color',
    ...but,
  ]
  return run(process.execPath, args)
}

test('dclint has nothing to say of the compose file, warnings included', async () => {
  expect(await dclint(join(root, 'docker-compose.yml'))).toMatchObject({ code: 0 })
  const loose = join(folder, 'docker-compose.yml')
  await writeFile(loose, 'services:\n  a:\n    image: redis\n    ports: ["6379:6379"]\n')
  expect(await dclint(loose)).toMatchObject({ code: 1, stdout: expect.stringContaining('explicit-tag') })
})

const workflows = files.filter((path) => /^\.github\/workflows\/.+\.yml$/.test(path))

test('actionlint has nothing to say of the workflows', async () => {
  const actionlint = await ensureTool('actionlint')
  expect(workflows.length).toBeGreaterThan(3)
  const paths = workflows.map((path) => join(root, path))
  expect(await run(actionlint, ['-no-color', ...paths])).toMatchObject({ code: 0, stdout: '' })
  const loose = join(folder, 'loose.yml')
  const step = ['$', '{{ github.nothing }}'].join('')
  await writeFile(
    loose,
    `on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${step}\n`,
  )
  expect((await run(actionlint, ['-no-color', loose])).stdout).toContain('github.nothing')
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

/** What the field's own linters say of image and compose file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../cli/services/run.ts'
import { root } from '../house/tree.ts'
import { ensureHadolint } from '../support/deploy-tools.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-lint-'))
})
afterAll(() => rm(folder, { recursive: true }))

const hadolint = async (path: string) =>
  run(await ensureHadolint(), ['--no-color', '--failure-threshold', 'style', path])

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

/** Where the tools of the chart's tests cannot be made, one line says why; the run then skips those tests, or fails in CI. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../cli/services/run.ts'

const root = join(import.meta.dirname, '../..')

test('without Go it says so and what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-go-'))
  try {
    const installer = join(root, 'test/support/go-tools.ts')
    const ran = await run(process.execPath, [installer, folder], { env: { PATH: '/nowhere' } })
    expect(ran.code).not.toBe(0)
    expect(ran.stderr).toMatch(/^no .+: Go is missing; install Go 1\.26 or newer\n$/)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('one module holds every tool, each pinned', async () => {
  const text = await readFile(join(root, 'tools/go.mod'), 'utf8')
  const [, block = ''] = /^tool \(\n([\s\S]*?)^\)/m.exec(text) ?? []
  expect(
    block
      .trim()
      .split(/\s+/)
      .map((path) => path.split('/').at(-1)),
  ).toEqual(['helm-unittest', 'helm-docs', 'actionlint', 'kubeconform', 'helm'])
  expect(text).toMatch(/^\thelm\.sh\/helm\/v4 v4\.3\.\d+/m)
})

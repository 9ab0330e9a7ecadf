import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ensureJaeger } from '../support/jaeger-install.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-go-'))
})
afterEach(() => rm(folder, { recursive: true }))

const silent = (): void => undefined
const ensure = () => ensureJaeger(join(folder, 'data'), silent, { PATH: folder })

const fakeGo = async (script: string): Promise<void> => {
  await writeFile(join(folder, 'go'), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, 'go'), 0o755)
}

test('without Go it says so, and what to do', async () =>
  expect(ensure()).rejects.toMatchObject({
    code: 'services',
    message: 'no Jaeger: Go is missing',
    remedy: 'install Go 1.24 or newer',
  }))

test('a Go that cannot bring the version that is asked for counts as none', async () => {
  await fakeGo('echo go1.19.8')
  await expect(ensure()).rejects.toThrow('no Jaeger: Go is too old (go1.19.8)')
})

test('a build that fails says why in one line, and leaves nothing that looks built', async () => {
  await fakeGo(
    '[ "$1" = env ] && echo go1.24.1 && exit\necho first >&2\necho "no route to proxy" >&2\nexit 1',
  )
  for (const _ of [1, 2])
    await expect(ensure()).rejects.toThrow('no Jaeger: go build says: no route to proxy')
})

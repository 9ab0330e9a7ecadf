import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { httpTokenOf } from '../../cli/http-token.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-token-'))
})
afterEach(() => rm(folder, { recursive: true }))

const of = (name: string, httpToken = '') => httpTokenOf({ httpToken, httpTokenPath: join(folder, name) })

test('a first start makes it, for its owner only; a later one finds it', async () => {
  const token = await of('deep/token')
  expect(token).toMatch(/^[\w-]{43}$/)
  expect((await stat(join(folder, 'deep/token'))).mode & 0o777).toBe(0o600)
  expect(await of('deep/token')).toBe(token)
  expect(await of('other')).not.toBe(token)
})

test('of many that start at once all have the same, and nothing else is left', async () => {
  const tokens = await Promise.all(Array.from({ length: 20 }, () => of('token')))
  expect(new Set(tokens).size).toBe(1)
  expect(await readdir(folder)).toEqual(['token'])
})

test('one that is set counts, and no file is made', async () => {
  expect(await of('token', 'set by hand')).toBe('set by hand')
  expect(await readdir(folder)).toEqual([])
  expect(await httpTokenOf({ httpToken: '', httpTokenPath: undefined })).toBe('')
})

test('one that somebody put there counts, without its line end', async () => {
  await writeFile(join(folder, 'token'), '0123456789abcdef\n')
  expect(await of('token')).toBe('0123456789abcdef')
})

test.each(['', 'short', 'two words in the file'])('a file with %j is refused and kept', async (text) => {
  await writeFile(join(folder, 'token'), text)
  await expect(of('token')).rejects.toMatchObject({
    code: 'settings',
    remedy: expect.stringMatching(/delete/),
  })
  expect(await readFile(join(folder, 'token'), 'utf8')).toBe(text)
})

test('a place that cannot be used is one clear error', async () => {
  await writeFile(join(folder, 'file'), '')
  await chmod(join(folder, 'file'), 0o600)
  for (const name of ['file/token', '.'])
    await expect(of(name)).rejects.toMatchObject({
      code: 'settings',
      message: expect.stringContaining(folder),
    })
})

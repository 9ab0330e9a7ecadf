import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FileWatch } from '../../../cli/dev/watch.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-watch-'))
})
afterAll(() => rm(folder, { recursive: true }))

const forever = new AbortController().signal

test('a save is told, also one that replaces the file, or that came while nobody waited', async () => {
  const file = join(folder, 'replaced.ts')
  await writeFile(file, '1')
  using watch = new FileWatch()
  watch.add([file])
  const first = watch.next(forever)
  await writeFile(`${file}.new`, '2')
  await rename(`${file}.new`, file)
  expect(await first).toBe(true)
  await writeFile(file, '3')
  expect(await watch.next(forever)).toBe(true)
})

test('what happens within a moment is one save, and other files of the folder are none', async () => {
  const [file, other] = [join(folder, 'once.ts'), join(folder, 'other.ts')]
  using watch = new FileWatch()
  watch.add([file])
  await writeFile(other, '1')
  for (const text of ['1', '2', '3']) await writeFile(file, text)
  expect(await watch.next(forever)).toBe(true)
  await writeFile(other, '2')
  expect(await watch.next(AbortSignal.timeout(500))).toBe(false)
})

test('a file that is added later is watched as well, and an end is no save', async () => {
  const file = join(folder, 'later.ts')
  using watch = new FileWatch()
  watch.add([join(folder, 'other.ts')])
  watch.add([file])
  await writeFile(file, '1')
  expect(await watch.next(forever)).toBe(true)
  expect(await watch.next(AbortSignal.abort())).toBe(false)
})

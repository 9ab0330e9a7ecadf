import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { finished, start } from '../pipelines/start-command.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-lint-'))
})
afterAll(() => rm(folder, { recursive: true }))

const lint = (...args: readonly string[]) => finished(start(['lint', ...args]))

test('a sound pipeline is ok, with what to look at, for people and for programs', async () => {
  const [people, programs] = await Promise.all([lint('user-login'), lint('user-login', '-o', 'json')])
  expect(people.out).toMatch(/^user-login: ok\n {2}note: /)
  expect(JSON.parse(programs.out)).toMatchObject({ pipeline: 'user-login', ok: true })
  expect([people.code, programs.code]).toEqual([0, 0])
})

const broken: readonly { name: string; code: string; expected: RegExp }[] = [
  {
    name: 'does-not-parse',
    code: 'export const pipeline = {\n  name: "x",\n  oops oops\n}',
    expected: /SyntaxError: .*'oops'; `node --check .*` shows the line/,
  },
  {
    name: 'throws',
    code: '\nthrow new TypeError("no database\\nsecond line")',
    expected: /TypeError: no database \(.*throws\.mjs:2\)/,
  },
  { name: 'exports-none', code: 'export const x = 1', expected: /exports neither pipeline nor default/ },
]

test.each(broken)('a module that $name is refused in one line, with the place', async (module) => {
  const path = join(folder, `${module.name}.mjs`)
  await writeFile(path, module.code)
  const refused = await lint(path)
  expect(refused).toMatchObject({ code: 3, out: '' })
  expect(refused.err).toMatch(module.expected)
  expect(refused.err.trimEnd().split('\n')).toHaveLength(1)
})

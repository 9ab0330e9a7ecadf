import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../cli/services/run.ts'

const script = join(import.meta.dirname, '../../scripts/test.mjs')
const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1)

test('it names the group and ends with the counts alone on a line', async () => {
  const { code, stdout } = await run(process.execPath, [script, 'test/cluster/nearest'])
  expect(stdout).toMatch(/^# tests that need nothing: ok, \d+\.\d s$/m)
  expect(lastLine(stdout)).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/)
  expect(code).toBe(0)
}, 60_000)

test('tests that a filter leaves out count as skipped, and a run that fails outside any test has failed', async () => {
  const filtered = await run(process.execPath, [script, 'test/cluster/nearest', '-t', 'no such test'])
  expect(lastLine(filtered.stdout)).toMatch(/^0 passed, \d+ failed, [1-9]\d* skipped$/)
  const broken = await run(process.execPath, [script, 'test/cluster/nearest', '--no-such-flag'])
  expect(lastLine(broken.stdout)).toBe('0 passed, 1 failed, 0 skipped')
  expect(broken.code).toBe(1)
}, 60_000)

test('without Java or Redis the tests on them are skipped by name; in CI that is a failure', async () => {
  const path = { PATH: '/nowhere', JAVA_HOME: '' }
  const args = [script, 'test/cli/services/redis']
  const local = await run(process.execPath, args, { env: { ...path, CI: '' } })
  expect(local.stdout).toMatch(/SKIPPED \(test\/cli\/services\): missing: Java 17 or newer, .*redis-server/)
  expect(lastLine(local.stdout)).toMatch(/^0 passed, 0 failed, [1-9]\d* skipped$/)
  expect(local.code).toBe(0)
  const ci = await run(process.execPath, args, { env: { ...path, CI: 'true' } })
  expect(lastLine(ci.stdout)).toBe('0 passed, 1 failed, 0 skipped')
  expect(ci.code).toBe(1)
}, 60_000)

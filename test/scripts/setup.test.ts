import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { run } from '../../cli/services/run.ts'

const script = join(import.meta.dirname, '../../scripts/setup.mjs')

type Packages = Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>

/** What set-up thinks of a project with this lock file and this record of installed packages. */
const isInstalled = async (locked: Packages, installed: Packages | undefined): Promise<boolean> => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-setup-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'node_modules'))
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: locked }))
  if (installed !== undefined)
    writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }))
  const code = `import { isInstalled } from '${script}'; console.log(isInstalled('${root}'))`
  const ran = await run(process.execPath, ['--input-type=module', '-e', code])
  return JSON.parse(ran.stdout) as boolean
}

const locked: Packages = {
  '': {},
  'node_modules/a': { version: '1.0.0' },
  'node_modules/a-darwin': { version: '1.0.0', optional: true },
}

test('a fresh clone, or an install that was broken off, is installed', async () => {
  expect(await isInstalled(locked, undefined)).toBe(false)
})

test('nothing is done where every locked package is there; those of other platforms may be absent', async () => {
  expect(await isInstalled(locked, { 'node_modules/a': { version: '1.0.0' } })).toBe(true)
})

test('another version, or a package that the lock file gained, is installed', async () => {
  expect(await isInstalled(locked, { 'node_modules/a': { version: '0.9.0' } })).toBe(false)
  const more = { ...locked, 'node_modules/b': { version: '2.0.0' } }
  expect(await isInstalled(more, { 'node_modules/a': { version: '1.0.0' } })).toBe(false)
})

test('in a project that is set up it does nothing, silently', async () => {
  expect(await run(process.execPath, [script])).toEqual({ code: 0, stdout: '', stderr: '' })
})

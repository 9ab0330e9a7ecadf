/** What no file may hold. Patterns are put together here, so that this file does not hold them itself. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { code, files, isTest, root, textOf } from './tree.ts'

const text = files.filter((path) => !/\.(png|jpg|ico|gz|jsa)$/.test(path))

/** `path:line: text` of each line that fits. */
const linesWith = (paths: readonly string[], pattern: RegExp): readonly string[] =>
  paths.flatMap((path) =>
    textOf(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  )

const either = (...words: readonly (readonly string[])[]): RegExp =>
  new RegExp(`\\b(${words.map((parts) => parts.join('')).join('|')})\\b`)

test('nothing is put off', () =>
  expect(linesWith(code, either(['TO', 'DO'], ['FIX', 'ME'], ['XX', 'X'], ['HA', 'CK']))).toEqual([]))

/** Left out is only what the machine cannot run, and never with CI=true. */
test('no test is singled out or left out', () =>
  expect(
    linesWith(
      code.filter(isTest),
      new RegExp(
        `\\b(test|it|describe|suite)\\.(on${'ly'}|sk${'ip'}(?!If\\(!ci && )|run${'If'}|to${'do'}|fa${'ils'})`,
      ),
    ),
  ).toEqual([]))

test('every test file has a test that expects something', () => {
  const idle = code
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => !/\b(expect|assert|suite|conformance|stress)\w*\b/i.test(textOf(path)))
  expect(idle).toEqual([])
})

test('no machine, no registry, no secret is named', () => {
  const home = ['/ro', 'ot/', '|/ho', 'me/\\w', '|/Us', 'ers/\\w', '|/wo', 'rk/'].join('')
  expect(linesWith(text, new RegExp(`(?<![\\w.])(${home})`))).toEqual([])
  const registry = ['regis', 'try\\.\\w+\\.\\w+', '|npm', 'mirror', '|artif', 'actory'].join('')
  expect(linesWith(text, new RegExp(registry))).toEqual([])
  expect(linesWith(text, new RegExp(`-----BEGIN [A-Z ]*PRIV${'ATE KEY'}`))).toEqual([])
})

test('the lock file says nothing about where packages come from', () =>
  expect(textOf('package-lock.json')).not.toContain(`"reso${'lved"'}`))

test('nothing that is made is tracked', () => {
  const tracked = execFileSync('git', ['ls-files', '-ci', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  expect(tracked).toBe('')
  expect(files.filter((path) => /\.(log|tmp|orig|rej|pid)$/.test(path))).toEqual([])
  expect(existsSync(`${root}.gitignore`)).toBe(true)
})

test('no type is forced past the checker: no `any`, no double cast without its reason', () => {
  const twice = linesWith(code, new RegExp(`as unknown${' as '}`)).map((line) => line.split(':')[0])
  // Piscina types `move` as taking what is transferred itself; a movable object is what its documentation asks for.
  expect(new Set(twice.filter((path) => path !== undefined && !isTest(path)))).toEqual(
    new Set(['workers/thread.ts']),
  )
})

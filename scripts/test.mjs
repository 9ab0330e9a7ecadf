/**
 * What `npm test` runs: lint and format, types, the tests that need nothing, then those of each ground (grounds.mjs).
 * Words on the command line narrow the test files, flags go to vitest: `npm test -- test/cli -t services`.
 * Law: the exit code is 0 only if nothing failed; nothing is skipped silently, and with CI=true nothing at all.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { groundOf, grounds } from './grounds.mjs'
import { prepare } from './prepare.mjs'
import { nodeOfProject } from './setup.mjs'

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const print = (text) => process.stdout.write(text)
const say = (line) => print(`${line}\n`)
const inModules = (path) => join(project, 'node_modules', path)

const totals = { passed: 0, failed: 0, skipped: 0 }
/** Told again at the end, where a long log is read first: `file: test`, then why. */
const failures = []
const REASON_LINES = 25

/** Runs one group under its name and says how long it took. */
const group = async (name, run) => {
  const started = performance.now()
  say(`\n# ${name}`)
  const ok = await run()
  say(`# ${name}: ${ok ? 'ok' : 'FAILED'}, ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

/** @returns whether it exited with 0 */
const node = (script, args) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: project, stdio: 'inherit' })
    child.on('close', (code) => resolve(code === 0))
  })

const check = (script, args) => async () => {
  const ok = await node(inModules(script), args)
  if (!ok) totals.failed++
  return ok
}

/** Counts from vitest's own report; a run without one, or a failure outside any test, counts as a failed one. */
const vitest = (files, flags) => async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-vitest-'))
  const report = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const ok = await node(inModules('vitest/vitest.mjs'), ['run', ...reporters, ...flags, ...files])
  const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {}
  rmSync(folder, { recursive: true })
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = result
  totals.passed += numPassedTests
  totals.failed += ok ? numFailedTests : Math.max(1, numFailedTests)
  totals.skipped += numPendingTests + numTodoTests
  for (const file of result.testResults ?? []) {
    const tests = file.assertionResults.filter(({ status }) => status === 'failed')
    const reasons = tests.map(({ fullName, failureMessages }) => [fullName, failureMessages[0]])
    if (tests.length === 0 && file.status === 'failed') reasons.push(['outside any test', file.message])
    for (const [test, reason = ''] of reasons) {
      const why = reason.split('\n').slice(0, REASON_LINES).join('\n    ')
      failures.push(`${relative(project, file.name)}: ${test}\n    ${why}`)
    }
  }
  return ok
}

const testsOn = async ({ name, atOnce }, lack, files, flags) => {
  const workers = atOnce === undefined ? [] : [`--maxWorkers=${atOnce}`]
  if (lack === undefined) return group(name, vitest(files, [...workers, ...flags]))
  if (process.env.CI === 'true') {
    totals.failed++
    say(`\n# ${name}: FAILED: ${lack}`)
    return
  }
  const folders = [...new Set(files.map((file) => relative(project, dirname(file))))].join(', ')
  totals.skipped += countTests(files)
  say(`\n# ${name}: SKIPPED (${folders}): ${lack}`)
}

const countTests = (files) => {
  // Last: before a word it would take that for the file to write to.
  const args = [inModules('vitest/vitest.mjs'), 'list', ...files, '--json']
  const ran = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' })
  return ran.status === 0 ? JSON.parse(ran.stdout).length : files.length
}

const main = async () => {
  const started = performance.now()
  const given = process.argv.slice(2)
  const firstFlag = given.findIndex((word) => word.startsWith('-'))
  const words = firstFlag < 0 ? given : given.slice(0, firstFlag)
  const flags = firstFlag < 0 ? [] : given.slice(firstFlag)
  const files = readdirSync(join(project, 'test'), { recursive: true })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(project, 'test', file))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  const byGround = Map.groupBy(files, groundOf)
  const wanted = grounds.toReversed().filter((ground) => byGround.has(ground))
  const setUp = prepare(wanted, print)
  const alone = byGround.get(undefined) ?? []
  if (words.length === 0) {
    await group('lint and format', check('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']))
    await group('types', check('typescript/bin/tsc', []))
  }
  if (alone.length > 0) await group('tests that need nothing', vitest(alone, flags))
  for (const ground of wanted) {
    await testsOn(ground, await setUp.ready(ground), byGround.get(ground), flags)
  }
  if (failures.length > 0) say(`\n# what failed\n${failures.join('\n')}`)
  say(`\n# total ${((performance.now() - started) / 1000).toFixed(1)} s`)
  say(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
  process.exitCode = totals.failed === 0 ? 0 : 1
}

/** npm puts the project's Node first on the path; a direct call on an older one goes there as well. */
const isOld = Number(process.versions.node.split('.')[0]) < 24
if (isOld) {
  const ran = spawnSync(nodeOfProject(), process.argv.slice(1), { stdio: 'inherit' })
  process.exitCode = ran.status ?? 1
} else await main()

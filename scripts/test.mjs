/**
 * What `npm test` runs: lint and format, types, the tests that need nothing, those on real Kafka and Redis, on Jaeger, on OpenSearch.
 * Words on the command line narrow the test files, flags go to vitest: `npm test -- test/cli -t services`.
 * Law: the exit code is 0 only if nothing failed; nothing is skipped silently, and with CI=true nothing at all.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeOfProject } from './setup.mjs'

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const say = (line) => process.stdout.write(`${line}\n`)
const inModules = (path) => join(project, 'node_modules', path)

const totals = { passed: 0, failed: 0, skipped: 0 }

/** Runs one group under its name and says how long it took. */
const group = async (name, run) => {
  const started = performance.now()
  say(`\n# ${name}`)
  const ok = await run()
  say(`# ${name}: ${ok ? 'ok' : 'FAILED'}, ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

const node = (script, args) =>
  spawnSync(process.execPath, [script, ...args], { cwd: project, stdio: 'inherit' })

const check = (script, args) => () => {
  const ok = node(inModules(script), args).status === 0
  if (!ok) totals.failed++
  return ok
}

/** Counts from vitest's own report; a run without one, or a failure outside any test, counts as a failed one. */
const vitest = (files, flags) => () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-vitest-'))
  const report = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const ran = node(inModules('vitest/vitest.mjs'), ['run', ...reporters, ...flags, ...files])
  const ok = ran.status === 0
  const result = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {}
  rmSync(folder, { recursive: true })
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = result
  totals.passed += numPassedTests
  totals.failed += ok ? numFailedTests : Math.max(1, numFailedTests)
  totals.skipped += numPendingTests + numTodoTests
  return ok
}

/** Whether a test file comes to one of these helpers of test/support, over other helpers if need be. */
const needs = (helpers, file, seen = new Set()) => {
  if (helpers.some((name) => file === join(project, 'test/support', name))) return true
  if (seen.has(file) || !file.startsWith(join(project, 'test')) || !existsSync(file)) return false
  seen.add(file)
  const imports = readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g)
  return [...imports].some(([, path]) => needs(helpers, join(dirname(file), path), seen))
}

const dataDir = join(project, '.millrace')

const ensureServices = async () => {
  const { ensureKafkaInstall, ensureTools } = await import('../cli/services/native.ts')
  await ensureTools({ kafka: true, redis: true }, { dataDir, log: say })
  await ensureKafkaInstall(dataDir, say)
}

/** Runs a program of test/support that makes tools ready, and throws what it says where it cannot. */
const runInstaller = (path) => {
  const stdio = ['ignore', 'inherit', 'pipe']
  const ran = spawnSync(process.execPath, [join(project, path), dataDir], { stdio, encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(ran.stderr.trim())
}

/** What tests stand on: by which helpers it is known, and how its tools are made ready. A file belongs to the first that fits. */
const grounds = [
  {
    name: 'tests on a real OpenSearch',
    helpers: ['opensearch.ts'],
    ensure: async () => {
      await ensureServices()
      runInstaller('test/support/opensearch-install.ts')
    },
  },
  {
    name: 'tests on a real Jaeger',
    helpers: ['jaeger.ts'],
    ensure: async () => {
      await ensureServices()
      runInstaller('test/support/jaeger-install.ts')
    },
  },
  { name: 'tests on real Kafka and Redis', helpers: ['services.ts', 'redis.ts'], ensure: ensureServices },
]

/** Undefined where all tools are there (now), else why not. */
const lackOf = async ({ ensure }) => {
  try {
    await ensure()
    return undefined
  } catch (error) {
    return [error.message, error.remedy].filter(Boolean).join('; ')
  }
}

const testsOn = async (ground, files, flags) => {
  const lack = await lackOf(ground)
  if (lack === undefined) return group(ground.name, vitest(files, flags))
  if (process.env.CI === 'true') {
    totals.failed++
    say(`\n# ${ground.name}: FAILED: ${lack}`)
    return
  }
  const folders = [...new Set(files.map((file) => relative(project, dirname(file))))].join(', ')
  totals.skipped += countTests(files)
  say(`\n# ${ground.name}: SKIPPED (${folders}): ${lack}`)
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
  const groundOf = (file) => grounds.find(({ helpers }) => needs(helpers, file))
  const byGround = Map.groupBy(files, groundOf)
  const alone = byGround.get(undefined) ?? []
  if (words.length === 0) {
    await group('lint and format', check('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']))
    await group('types', check('typescript/bin/tsc', []))
  }
  if (alone.length > 0) await group('tests that need nothing', vitest(alone, flags))
  for (const ground of grounds.toReversed()) {
    const on = byGround.get(ground) ?? []
    if (on.length > 0) await testsOn(ground, on, flags)
  }
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

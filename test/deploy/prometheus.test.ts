/** What `deploy/prometheus/` and `deploy/grafana/` ask, asked of a real Prometheus that scrapes every declared metric. */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ruleGroups, rules } from '../../telemetry/rules.ts'
import { type Processes, startProcesses } from '../support/exposition.ts'
import { type Prometheus, promtool, startPrometheus } from '../support/prometheus.ts'
import { chosen, dashboards } from './dashboards.ts'

const folder = join(import.meta.dirname, '../../deploy/prometheus')
const TOKEN = 'a-token-of-the-test'
/** For all together: Prometheus hands new targets on every five seconds, and a rate needs two scrapes. */
const DEADLINE_MS = 60_000

let processes: Processes
let prometheus: Prometheus
let scratch: string
let end: number

const left = (): number => Math.max(0, end - performance.now())

/** The shipped file, with what is said there to be the user's own: the coordinator's address and the file with its token. */
const shipped = async (): Promise<string> => {
  const token = join(scratch, 'http-token')
  await writeFile(token, `${TOKEN}\n`)
  const text = await readFile(join(folder, 'prometheus.yml'), 'utf8')
  const changes = [
    ['http://coordinator:8400/sd/prometheus', processes.url],
    ['/run/millrace/http-token', token],
    ['- rules.yml', `- ${folder}/rules.yml`],
    ['- alerts.yml', `- ${folder}/alerts.yml`],
    ['scrape_interval: 5s', 'scrape_interval: 500ms'],
    ['scrape_timeout: 4s', 'scrape_timeout: 500ms'],
    ['evaluation_interval: 5s', 'evaluation_interval: 1s'],
  ] as const
  return changes.reduce((changed, [from, to]) => {
    expect(changed).toContain(from)
    return changed.replace(from, to)
  }, text)
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'millrace-deploy-'))
  processes = await startProcesses(TOKEN)
  prometheus = await startPrometheus({ config: await shipped() })
  end = performance.now() + DEADLINE_MS
})

afterAll(async () => {
  await prometheus?.stop()
  await processes?.close()
  await rm(scratch, { recursive: true, force: true })
})

test('promtool finds nothing wrong with configuration and rules', async () => {
  const checked = await promtool(['check', 'config', join(folder, 'prometheus.yml')])
  expect(checked.stdout + checked.stderr).toMatch(/SUCCESS: \d+ rules found[\s\S]*SUCCESS: \d+ rules found/)
  expect(checked).toMatchObject({ code: 0 })
})

test('it logs in at the coordinator and scrapes every process that is named there', async () => {
  const up = await prometheus.seen('up == 1', left(), (samples) => samples.length === 3)
  const named = up.map(({ labels }) => labels.millrace_role).toSorted()
  expect(named).toEqual(['coordinator', 'sink', 'worker'])
  expect(processes.refused()).toBe(0)
  expect((await prometheus.targets()).map(({ lastError }) => lastError)).toEqual(['', '', ''])
})

/** Of the `by` that stands outermost, without what a quantile consumes. */
const labelsOf = (expr: string): readonly string[] =>
  (/by \(([^)]*)\)/.exec(expr)?.[1] ?? '').split(', ').filter((label) => label !== '' && label !== 'le')

test.each(Object.entries(rules))('%s has data with all its labels', async (name, expr) => {
  const samples = await prometheus.seen(`${name} == ${name}`, left())
  for (const { labels } of samples)
    expect(Object.keys(labels).toSorted()).toEqual(['__name__', ...labelsOf(expr)].toSorted())
})

test('every rule is evaluated without an error', async () => {
  interface Known {
    readonly groups: readonly {
      readonly name: string
      readonly rules: readonly {
        readonly health: string
        readonly lastError?: string
        readonly name: string
      }[]
    }[]
  }
  const { groups } = await prometheus.api<Known>('rules')
  expect(groups.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(ruleGroups)))
  const known = groups.flatMap((group) => group.rules)
  expect(known.length).toBeGreaterThan(Object.keys(rules).length)
  expect(known.filter(({ health }) => health !== 'ok')).toEqual([])
})

const choice = { pipeline: 'user-login', slot: '1', partition: '.*' }
const asked = dashboards().flatMap(({ title, targets, variables }) => [
  ...targets.map(({ panel, expr }) => ({ what: `${title}, ${panel}`, expr })),
  ...variables.map(({ label, expr }) => ({ what: `${title}, variable ${label}`, expr })),
])

test.each(asked)('$what has data: $expr', async ({ expr }) => {
  const query = chosen(expr, choice)
  expect(query).not.toContain('$')
  const now = Date.now() / 1000
  await prometheus.seen(query, left())
  const series = await prometheus.queryRange(query, { start: now - 60, end: now + 60, step: 1 })
  expect(series.length).toBeGreaterThan(0)
})

const runbooks = join(import.meta.dirname, '../../docs/runbooks')
const inRunbooks = readdirSync(runbooks).flatMap((page) =>
  [...readFileSync(join(runbooks, page), 'utf8').matchAll(/^```promql\n([\s\S]*?)^```/gm)].flatMap(
    ([, block = '']) =>
      block
        .trim()
        .split('\n')
        .map((expr) => ({ page, expr })),
  ),
)

test.each(inRunbooks)('$page asks what Prometheus knows: $expr', async ({ expr }) => {
  await prometheus.query(expr)
  for (const [name] of expr.matchAll(/millrace:[a-z0-9_:]+/g)) expect(Object.keys(rules)).toContain(name)
})

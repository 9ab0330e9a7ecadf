/** The Helm chart passes its own tools: helm's linter, a suite for each template, the schemas of what it is sent to, its README. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chart, examples, schemas, template, tool, toolPath, valuesOf } from './chart.ts'

const said = ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => stdout + stderr

test('it is Helm 4.3 that judges', async () => {
  expect((await tool('helm', ['version', '--template', '{{.Version}}'])).stdout).toMatch(/^v4\.3\b/)
})

test.each(examples)('helm lint --strict has nothing against the %s values', async (name) => {
  const ran = await tool('helm', ['lint', '--strict', chart, '-f', valuesOf(name)])
  expect(ran.code, said(ran)).toBe(0)
})

test('every suite passes', async () => {
  const ran = await tool('helm-unittest', ['--strict', chart])
  expect(ran.code, said(ran)).toBe(0)
  expect(ran.stdout).toMatch(/^Tests: +[1-9]\d* passed/m)
})

test('every template has its suite', async () => {
  const suites = (await readdir(join(chart, 'tests'))).filter((name) => name.endsWith('_test.yaml'))
  const texts = await Promise.all(suites.map((name) => readFile(join(chart, 'tests', name), 'utf8')))
  // A suite names the template it is about first.
  const covered = texts.map((text) => /^templates: \[([^\],]+)/m.exec(text)?.[1])
  const templates = (await readdir(join(chart, 'templates'), { recursive: true })).filter(
    (name) => /\.(yaml|txt)$/.test(name) && !name.startsWith('_'),
  )
  expect(templates.length).toBeGreaterThan(15)
  expect(covered.toSorted()).toEqual(templates.toSorted())
})

describe('Kubernetes 1.36, KEDA and the Prometheus operator know every field', () => {
  const conform = async (path: string) => {
    const location = `${await schemas()}/{{.ResourceKind}}{{.KindSuffix}}.json`
    const args = ['-strict', '-summary', '-output', 'json', '-schema-location', location, path]
    return tool('kubeconform', args)
  }

  const withFile = async <T>(text: string, use: (path: string) => Promise<T>): Promise<T> => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-manifests-'))
    try {
      const path = join(folder, 'all.yaml')
      await writeFile(path, text)
      return await use(path)
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  test.each(examples)('of the %s values', async (name) => {
    const { stdout } = await template(['-f', valuesOf(name)])
    const ran = await withFile(stdout, conform)
    expect(ran.code, said(ran)).toBe(0)
    const { summary } = JSON.parse(ran.stdout) as { readonly summary: Readonly<Record<string, number>> }
    expect(summary).toMatchObject({ valid: stdout.match(/^kind:/gm)?.length, skipped: 0 })
  })

  test.each([
    ['a field that does not exist', 'podManagementPolicy: Parallel', 'podManagmentPolicy: Parallel'],
    ['a value of another type', 'enableServiceLinks: false', 'enableServiceLinks: "false"'],
    ['a field of a CRD', 'maxReplicaCount:', 'maxReplicas:'],
    ['an API that is gone', 'apiVersion: policy/v1', 'apiVersion: policy/v1beta1'],
  ])('and %s is refused', async (_, right, wrong) => {
    const { stdout } = await template(['-f', valuesOf('full')])
    expect(stdout).toContain(right)
    const ran = await withFile(stdout.replaceAll(right, wrong), conform)
    expect(ran.code).toBe(1)
  })
})

test('the README is what helm-docs makes of values.yaml and its template', async () => {
  const args = ['-c', 'deploy/helm', '-s', 'file', '-l', 'error']
  const { stdout } = await tool('helm-docs', [...args, '--dry-run'])
  const readme = await readFile(join(chart, 'README.md'), 'utf8')
  expect(stdout.trim().length).toBeGreaterThan(1000)
  expect(readme.trim(), `run \`${await toolPath('helm-docs')} ${args.join(' ')}\``).toBe(stdout.trim())
})

test('what the README tells to install is what the chart takes', async () => {
  const readme = await readFile(join(chart, 'README.md'), 'utf8')
  const [, command = ''] =
    /^helm install millrace deploy\/helm\/millrace \\\n([\s\S]*?)^helm test/m.exec(readme) ?? []
  const sets = [...command.matchAll(/--set (?:'([^']+)'|(\S+))/g)].map(
    ([, quoted, bare]) => quoted ?? bare ?? '',
  )
  expect(sets.length).toBeGreaterThan(3)
  const ran = await template(sets.flatMap((set) => ['--set', set]))
  expect(ran.code, ran.stderr).toBe(0)
  expect(ran.stdout).toContain('MILLRACE_KAFKA_BROKERS: "kafka-0.kafka:9092,kafka-1.kafka:9092"')
  expect(ran.stdout).toContain('MILLRACE_OPTION_TOKEN_KEY_FILE')
})

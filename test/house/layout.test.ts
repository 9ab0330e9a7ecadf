/** What stands at the top of the repository, and which packages do their part. */
import { expect, test } from 'vitest'
import { code, files, importsOf, isProduction, textOf } from './tree.ts'

const folders = [
  '.ci',
  '.github',
  'audit',
  'bench',
  'cli',
  'cluster',
  'coordinator',
  'deploy',
  'docs',
  'examples',
  'letters',
  'pipelines',
  'scripts',
  'sinks',
  'telemetry',
  'test',
  'tools',
  'workers',
]
const atTop = [
  '.dockerignore',
  '.env.example',
  '.gitignore',
  '.npmrc',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'biome.json',
  'docker-compose.yml',
  'package-lock.json',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]

test('the top level holds what it should and nothing else', () => {
  const top = new Set(files.map((path) => path.split('/')[0] ?? ''))
  expect([...top].sort()).toEqual([...folders, ...atTop].sort())
})

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
const manifest = JSON.parse(textOf('package.json')) as Manifest

const packageOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
const used = new Set(
  code
    .filter(isProduction)
    .flatMap(importsOf)
    .filter(({ own, to }) => !own && !to.startsWith('node:'))
    .map(({ to }) => packageOf(to)),
)

/** Packages the system is made of by design: the part of each stands in the README. */
const fixed = [
  'kafkajs',
  'piscina',
  'ioredis',
  'bullmq',
  '@opentelemetry/sdk-node',
  '@opentelemetry/exporter-prometheus',
]
test.each(fixed)('%s is imported by production code', (name) => expect(used).toContain(name))

test('production code imports exactly the dependencies, each pinned', () => {
  expect([...used].sort()).toEqual(Object.keys(manifest.dependencies).sort())
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
})

test('each dependency has its line in the README and its reason in the decisions', () => {
  for (const name of Object.keys(manifest.dependencies)) {
    expect(textOf('README.md'), name).toMatch(
      new RegExp(`^\\|[^|]*\\b${name.replace(/^@/, '')}\\b[^|]*\\|`, 'm'),
    )
    expect(textOf('docs/decisions/0008-dependencies.md'), name).toContain(name)
  }
})

test('of OpenTelemetry there is one exact set, and one copy of its API: two would not see each other', () => {
  const { packages } = JSON.parse(textOf('package-lock.json')) as {
    readonly packages: Readonly<Record<string, { readonly version: string }>>
  }
  const copies = (name: string) =>
    Object.keys(packages).filter((path) => path.endsWith(`node_modules/${name}`))
  expect(copies('@opentelemetry/api')).toEqual(['node_modules/@opentelemetry/api'])
  for (const name of ['sdk-trace', 'sdk-metrics', 'sdk-logs', 'resources', 'core'])
    expect(copies(`@opentelemetry/${name}`), name).toHaveLength(1)
  const versionOf = (name: string) => manifest.dependencies[`@opentelemetry/${name}`]
  expect(versionOf('exporter-prometheus')).toBe(versionOf('sdk-node'))
  expect(versionOf('exporter-metrics-otlp-proto')).toBe(versionOf('sdk-node'))
})

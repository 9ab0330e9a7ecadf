/** Who may use whom (docs/architecture.md). A rule stands beside its reason. */
import { expect, test } from 'vitest'
import { code, described, files, importsOf, isProduction, isTest, textOf } from './tree.ts'

interface Rule {
  readonly may: readonly string[]
  readonly why: string
}

/** The longest folder that fits counts. */
const rules: Readonly<Record<string, Rule>> = {
  cluster: { may: [], why: 'it is what everybody stands on: it must not know who stands there' },
  'pipelines/api': {
    may: [
      'cluster/errors.ts',
      'cluster/nearest.ts',
      'cluster/settings.ts',
      'cluster/protocol/names.ts',
      'pipelines/index.ts',
    ],
    why: 'a pipeline runs in threads, in dry-run and in tests alike: it needs no broker, no Redis, no process',
  },
  pipelines: { may: ['pipelines/api', 'cluster/entry.ts'], why: 'what a user writes sees what a user sees' },
  workers: {
    may: ['cluster', 'pipelines'],
    why: 'workers and coordinator meet in Kafka and Redis only, so that one works without the other',
  },
  coordinator: {
    may: ['cluster', 'pipelines/api'],
    why: 'it decides from reports and writes plans; the data path is none of its business',
  },
  audit: {
    may: ['cluster', 'pipelines/api'],
    why: 'who checks the data path must not share its faults',
  },
  letters: {
    may: ['cluster', 'pipelines/api'],
    why: 'a letter is read and sent by tools: nothing of it may depend on the worker that wrote it',
  },
  telemetry: {
    may: ['cluster'],
    why: 'it subscribes to events and asks measures: nothing of the flow may wait for it, or know it',
  },
  sinks: {
    may: ['cluster', 'pipelines/api'],
    why: 'a sink reads what was committed, as any reader does: it must run beside any version of a worker',
  },
  cli: {
    may: [
      'cluster',
      'workers',
      'coordinator',
      'audit',
      'letters',
      'pipelines',
      'sinks',
      'telemetry',
      'scripts/setup.mjs',
    ],
    why: 'it puts the parts together; the set-up of a clone is borrowed by its entry',
  },
}

const within = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`)
const folderOf = (path: string): string | undefined =>
  Object.keys(rules)
    .filter((folder) => within(path, folder))
    .toSorted((a, b) => b.length - a.length)[0]

const production = code.filter(isProduction)

test.each(Object.entries(rules))('%s uses only what it may', (folder, { may, why }) => {
  const mine = production.filter((path) => folderOf(path) === folder)
  const foreign = mine
    .flatMap(importsOf)
    .filter(({ own, to }) => own && folderOf(to) !== folder && !may.some((place) => within(to, place)))
  expect(mine.length, `${folder} has files`).toBeGreaterThan(0)
  expect(foreign.map(described), why).toEqual([])
})

test('the parser of imports sees what there is', () => {
  const seen = new Set(importsOf('cluster/kafka/seam.ts').map(({ to }) => to))
  expect(seen).toContain('cluster/kafka/bytes.ts')
  expect(seen).toContain('kafkajs/src/network/connection.js')
  expect(importsOf('cli/commands.ts').map(({ to }) => to)).toContain('cli/commands/demo.ts')
  const missing = code.flatMap(importsOf).filter(({ own, to }) => own && !files.includes(to))
  expect(missing.map(described).filter((line) => !line.startsWith('test/'))).toEqual([])
})

test('nothing imports tests but tests', () => {
  const found = code.filter((path) => !isTest(path) && path !== 'vitest.config.ts').flatMap(importsOf)
  expect(found.filter(({ to }) => to.startsWith('test/')).map(described)).toEqual([])
})

test('the inside of kafkajs is reached in one file: a new version breaks one file', () => {
  const deep = production.flatMap(importsOf).filter(({ to }) => to.startsWith('kafkajs/'))
  expect(new Set(deep.map(({ from }) => from))).toEqual(new Set(['cluster/kafka/seam.ts']))
})

const usersOf = (pattern: RegExp): readonly string[] =>
  production.filter((path) => !path.startsWith('cli/') && pattern.test(textOf(path)))

test('only cli reads environment and arguments: a setting that another reads is in no table', () =>
  expect(usersOf(/process\.(env|argv)\b|from 'node:process'/)).toEqual([]))

test('only cli listens to signals: two listeners would end a process twice', () =>
  expect(usersOf(/process\.(on|once|addListener|prependListener)\(\s*(?!'(message|disconnect)')\S/)).toEqual(
    [],
  ))

test('workers/child.ts alone speaks with a parent process', () =>
  expect(usersOf(/process\.(on|once|send|disconnect)\b/)).toEqual(['workers/child.ts']))

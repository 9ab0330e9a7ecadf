/** What the pages say, held against tables and files. */
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { entries } from '../../cli/commands.ts'
import { errorKinds } from '../../cluster/errors.ts'
import { settingsTable } from '../../cluster/settings.ts'
import { failureKinds } from '../../pipelines/api/codes.ts'
import { drifted } from '../../scripts/generate.ts'
import { files, root, textOf } from './tree.ts'

const pages = files.filter((path) => path.endsWith('.md'))
const guarantees = files.filter((path) => /^test\/guarantees\/[^/]+\.test\.ts$/.test(path))

test('the pages made from tables are up to date: run `npm run generate`', () => expect(drifted()).toEqual([]))

/** GitHub's own rule: lower case, punctuation out, dashes for spaces. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

const anchorsIn = (path: string): readonly string[] =>
  [...textOf(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))

const outsideCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '')

const brokenLinks = (page: string): readonly string[] =>
  [...outsideCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    if (/^https?:/.test(target)) return []
    const [path = '', anchor] = target.split('#')
    const file = path === '' ? page : normalize(join(dirname(page), path))
    if (!existsSync(join(root, file))) return [`${page}: ${target}`]
    return anchor === undefined || anchorsIn(file).includes(anchor) ? [] : [`${page}: ${target}`]
  })

test('every link of every page leads somewhere', () => {
  expect(pages.length).toBeGreaterThan(10)
  expect(pages.flatMap(brokenLinks)).toEqual([])
})

test('every page that is there is linked from another', () => {
  const linked = new Set(
    pages.flatMap((page) =>
      [...textOf(page).matchAll(/\]\(([^)#\s]+)/g)].map(([, path = '']) =>
        normalize(join(dirname(page), path)),
      ),
    ),
  )
  expect(pages.filter((page) => page !== 'README.md' && !linked.has(page))).toEqual(
    ['docs/exit-codes.md', 'docs/settings.md'].filter((page) => !linked.has(page)),
  )
})

test('the commands of the README are those there are, with their summaries', () => {
  const rows = [...textOf('README.md').matchAll(/^\| `([a-z-]+)` \| (.+) \|$/gm)].map(([, name, text]) => [
    name,
    text,
  ])
  expect(rows).toEqual(entries.map(({ name, summary }) => [name, summary]))
})

test('the guarantees of the README are the tests there are, each once', () => {
  const named = [...textOf('README.md').matchAll(/\]\((test\/guarantees\/[^)]+)\)/g)].map(([, path]) => path)
  expect(named.toSorted()).toEqual([...guarantees])
})

test('docs/guarantees.md has a section with its limits for each of them', () => {
  for (const path of guarantees) {
    const name = path.split('/').at(-1)
    expect(textOf('docs/guarantees.md'), path).toMatch(
      new RegExp(`^\\*Limits:\\*[^#]*^\\*Test:\\* \\[${name}\\]\\(\\.\\./${path}\\)`, 'm'),
    )
  }
})

/** What a shard or a takeover can stop with: cluster/kafka/ports.ts and workers/takeover.ts. */
const halts = [
  'pipeline-insights',
  'pipeline-load',
  'settings',
  'position-gap',
  'topic-recreated',
  'state-lost',
  'topic-mismatch',
  'state-format',
  'topic-missing',
  'kafka-auth',
  'internal',
]

test('each name that halts a shard has its runbook, and each runbook is of such a name', () => {
  const runbooks = [...textOf('docs/guarantees.md').matchAll(/^### `([a-z-]+)`$/gm)].map(([, name]) => name)
  expect(runbooks.toSorted()).toEqual(halts.toSorted())
  for (const name of halts) expect(Object.keys(errorKinds)).toContain(name)
})

test('what an error points to is there', () => {
  for (const [name, { remedy }] of Object.entries(errorKinds)) {
    for (const [path] of remedy.matchAll(/docs\/[a-z-]+\.md/g)) expect(files, name).toContain(path)
    for (const [, command = ''] of remedy.matchAll(/`millrace ([a-z-]+)/g))
      expect(
        entries.map((entry) => entry.name),
        name,
      ).toContain(command)
    for (const [variable] of remedy.matchAll(/MILLRACE_[A-Z_]+[A-Z](?!\w|\*)/g))
      expect(
        Object.values(settingsTable).map(({ env }) => env),
        name,
      ).toContain(variable)
  }
  expect(anchorsIn('docs/architecture.md')).toContain('topics-by-hand')
})

test('every setting a page names exists', () => {
  const known = Object.values(settingsTable).map(({ env }) => env as string)
  const named = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\bMILLRACE_(?!OPTION_)[A-Z]+(?:_[A-Z]+)*\b(?![_*.])/g)].map(([name]) => name),
  )
  expect([...new Set(named)].filter((name) => !known.includes(name))).toEqual([])
})

const producedBy = (path: string, pattern: RegExp): readonly string[] =>
  [...textOf(path).matchAll(pattern)].map(([, code = '']) => code)

/** Causes that blame nobody (isNotRun). */
const blameless = producedBy('workers/task.ts', /cause === '([a-z-]+)'/g)

test('the codes that workers give a record are those of the one table', () => {
  const codes = [
    ...producedBy('workers/refusal.ts', /'(output-[a-z-]+)'/g),
    ...producedBy('workers/run-task.ts', /code: '([a-z-]+)'/g),
    ...producedBy('workers/pool.ts', /(?:return |[?:] |abort\()'([a-z-]+)'/g)
      .filter((cause) => !blameless.includes(cause))
      .map((cause) => `thread-${cause}`),
    ...producedBy('cluster/kafka/codec/error.ts', /\* - `([a-z-]+)`/g).map((code) => `batch-${code}`),
  ]
  const ofTable = Object.keys(failureKinds).filter((code) => /^(output|thread|batch)-/.test(code))
  expect([...new Set(codes)].sort()).toEqual(ofTable.sort())
})

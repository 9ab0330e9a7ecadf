/** What the pages tell people to type works: every command of their shell blocks parses, the cheap ones run, the example too. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { entries } from '../../cli/commands.ts'
import { millrace } from '../cli/millrace.ts'
import { parse } from './call.ts'
import { files, root, textOf } from './tree.ts'

const MOST_LINES = 150
const FIRST_SCREEN = 20

test('the README is short, and the first thing to run is on the first screen', () => {
  const lines = textOf('README.md').split('\n')
  expect(lines.length - 1).toBeLessThanOrEqual(MOST_LINES)
  const first = lines.indexOf('```bash')
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThan(FIRST_SCREEN)
  expect(lines.slice(first + 1, first + 3).map((line) => line.split(/ {2,}#/)[0])).toEqual([
    'npm run demo',
    'npm test',
  ])
})

const pages = files.filter((path) => path.endsWith('.md'))

interface Line {
  readonly page: string
  readonly line: string
}

const shellLines: readonly Line[] = pages.flatMap((page) =>
  [...textOf(page).matchAll(/^```bash\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    block
      .split('\n')
      .map((line) => line.replace(/\s#.*$/, '').trim())
      .filter((line) => line !== '')
      .map((line) => ({ page, line })),
  ),
)
/** Commands named in the text itself; one word is a mention, no call. */
const inlineLines: readonly Line[] = pages.flatMap((page) =>
  [...textOf(page).matchAll(/`((?:npx millrace [^\s`]+|npm [^\s`]+) [^`]+)`/g)].map(([, line = '']) => ({
    page,
    line,
  })),
)

/** Words of the call of millrace in a line, or of npm's script; undefined where it is neither. */
const callIn = (line: string): { readonly npm: boolean; readonly words: readonly string[] } | undefined => {
  const call = line.split('|').map((part) => part.trim().replace(/^([A-Z_]+=\S+ )+/, ''))
  const own = call.find((part) => part.startsWith('npx millrace '))
  if (own !== undefined) return { npm: false, words: own.split(' ').slice(2) }
  const npm = call.find((part) => part.startsWith('npm '))
  return npm === undefined ? undefined : { npm: true, words: npm.split(' ').slice(1) }
}

const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: object }).scripts)

/** `npm run demo -- ...` calls `millrace demo ...`. */
const parseNpm = async ([verb, ...words]: readonly string[]): Promise<void> => {
  if (verb === 'test' || verb === 'ci' || verb === 'exec') return
  const [script = '', ...rest] = words
  expect(verb).toBe('run')
  expect(scripts).toContain(script)
  if (script === 'demo') await parse(['demo', ...rest.filter((word) => word !== '--')])
}

const calls = [...shellLines, ...inlineLines].flatMap((one) => {
  const call = callIn(one.line)
  return call === undefined ? [] : [{ ...one, ...call }]
})

test('every line of a shell block is a command of ours', () => {
  expect(shellLines.length).toBeGreaterThan(10)
  expect(shellLines.filter(({ line }) => callIn(line) === undefined)).toEqual([])
})

test.each(calls)('$page: $line', async ({ npm, words }) => {
  await (npm ? parseNpm(words) : parse(words))
})

test('what would be refused is refused here', async () => {
  await expect(parse(['demo', '--fast'])).rejects.toThrow(/--fast/)
  await expect(parse(['services', 'sideways'])).rejects.toThrow(/sideways/)
  await expect(parse(['generate', '--count', 'many'])).rejects.toThrow(/count/)
  await expect(parse(['lint'])).rejects.toThrow(/needs more/)
})

const helpOf = (name: string) => millrace([name, '--help'])

test('every command tells its use', { timeout: 120_000 }, async () => {
  for (const { name } of entries) {
    const { code, stdout } = await helpOf(name)
    expect(code, name).toBe(0)
    expect(stdout, name).toContain(`Usage: millrace ${name}`)
  }
})

/** The example of docs/pipelines.md, in a folder as deep as the one the page names. */
const withExample = async (run: (path: string) => Promise<void>): Promise<void> => {
  const source = /^```ts\n([\s\S]*?)^```/m.exec(textOf('docs/pipelines.md'))?.[1] ?? ''
  await mkdir(join(root, '.millrace'), { recursive: true })
  const folder = await mkdtemp(join(root, '.millrace', 'example-'))
  try {
    const path = join(folder, 'pipeline.ts')
    await writeFile(path, source.replaceAll("'../api/", "'../../pipelines/api/"))
    await run(path)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('the example pipeline is valid and does what its page says', { timeout: 60_000 }, async () => {
  const shown = shellLines.find(({ line }) => line.includes('| npx millrace dry-run'))?.line ?? ''
  const record = /^echo '(.*)' \|/.exec(shown)?.[1] ?? ''
  await withExample(async (path) => {
    const lint = await millrace(['lint', path])
    expect(lint, lint.stderr).toMatchObject({ code: 0 })
    const { code, stdout } = await millrace(['dry-run', path, '--insights'], { stdin: `${record}\n` })
    expect(code).toBe(0)
    const [line = '', insights = ''] = stdout.trim().split('\n')
    expect(JSON.parse(line)).toMatchObject({
      outcome: 'done',
      value: { email: '***@b.c', gross: 11, country: 'unknown' },
    })
    expect(JSON.parse(insights)).toMatchObject({
      aggregates: { orders: 1, orders_by_country: { unknown: 1 }, turnover: 11 },
    })
  })
})

test('the shipped pipelines lint', { timeout: 60_000 }, async () => {
  for (const name of ['user-login', 'bench-login'])
    expect(await millrace(['lint', name]), name).toMatchObject({ code: 0 })
})

/**
 * The package as it is shipped, in the hands of someone who never saw this repository: packed, installed in an empty folder, and
 * docs/tutorial.md done line by line, with its files and what it says comes out.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tsconfigJson } from '../../cli/init/manifest.ts'
import { scaffold } from '../../cli/init/scaffold.ts'
import { writeAll } from '../../cli/init/write.ts'
import { shippedPipelines } from '../../pipelines/index.ts'
import { root, textOf } from '../house/tree.ts'
import { borrowedDataDir } from '../support/services.ts'
import { Line, type } from './terminal.ts'

const MINUTE = 60_000

let place = ''
/** Where the package is installed. */
let here = ''
let data: Awaited<ReturnType<typeof borrowedDataDir>>
const env = () => ({ MILLRACE_DATA_DIR: data.path })

beforeAll(async () => {
  data = await borrowedDataDir()
  place = await mkdtemp(join(tmpdir(), 'millrace-packed-'))
  here = join(place, 'here')
  await mkdir(here)
  await type(`npm pack --pack-destination "${place}"`, root)
  const [tarball = ''] = (await readdir(place)).filter((name) => name.endsWith('.tgz'))
  await type(`npm install "../${tarball}"`, here)
}, 10 * MINUTE)
afterAll(async () => {
  await rm(place, { recursive: true, force: true })
  await data[Symbol.asyncDispose]()
})

interface Block {
  readonly kind: 'sh' | 'ts' | 'text'
  readonly lines: readonly string[]
  /** The file that a `ts` block is saved as: named last before it. */
  readonly file: string
}

const page = textOf('docs/tutorial.md')
const blocks: readonly Block[] = [...page.matchAll(/^```(sh|ts|text)\n([\s\S]*?)^```$/gm)].map(
  ({ 1: kind, 2: text = '', index }) => ({
    kind: kind as Block['kind'],
    lines: text.trimEnd().split('\n'),
    file: [...page.slice(0, index).matchAll(/Save this as `([^`]+)`/g)].at(-1)?.[1] ?? '',
  }),
)

/** A line of the page as what is printed: partitions follow from keys, `…` is any text. */
const asPrinted = (line: string): RegExp => {
  const escaped = line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/ \d+\/\d+/, ' \\d+/\\d+').replaceAll('…', '.*')}`)
}

class Reader implements AsyncDisposable {
  dev: Line | undefined
  #folder = here
  #said = ''

  async do({ kind, lines, file }: Block): Promise<void> {
    if (kind === 'sh') for (const line of lines) await this.#type(line)
    else if (kind === 'ts') await this.#save(file, lines)
    else for (const line of lines) await this.#expect(asPrinted(line))
  }

  async #type(line: string): Promise<void> {
    if (line.startsWith('cd ')) this.#folder = join(this.#folder, line.slice(3))
    else if (line === 'npm run dev') {
      this.dev = new Line(line, this.#folder, env())
      await this.dev.says(/^Try next/, 3 * MINUTE)
    } else this.#said = await type(line, this.#folder, env())
  }

  /** A pipeline is saved with a mistake first: the page says what comes of one. */
  async #save(file: string, lines: readonly string[]): Promise<void> {
    const path = join(this.#folder, file)
    if (file === 'pipeline.ts') {
      await writeFile(path, 'oops oops')
      await this.dev?.says(/^millrace: .*pipeline\.ts: SyntaxError/, 2 * MINUTE)
      await this.dev?.says(/^what ran before goes on/, MINUTE)
    }
    await writeFile(path, `${lines.join('\n')}\n`)
    if (file === 'pipeline.ts') await this.dev?.says(/^orders runs again/, 2 * MINUTE)
  }

  async #expect(line: RegExp): Promise<void> {
    if (!this.#said.split('\n').some((said) => line.test(said))) await this.dev?.says(line, MINUTE)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dev?.interrupt()
  }
}

test('the tutorial works line by line, and Ctrl-C leaves nothing behind', {
  timeout: 15 * MINUTE,
}, async () => {
  await using reader = new Reader()
  expect(blocks.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['sh', 'ts', 'text']))
  for (const block of blocks) await reader.do(block)
  await reader.dev?.interrupt()
  expect(reader.dev?.said.at(-1)).toBe('2 done, 2 dead, 1 drop')
  expect(await readdir(join(data.path, 'services'))).toEqual([])
})

test('`dev --seconds` ends by itself, after it has shown what became of a record', {
  timeout: 10 * MINUTE,
}, async () => {
  await type('npx millrace init ../logins --from user-login', here)
  const logins = join(place, 'logins')
  await symlink(join(here, 'node_modules'), join(logins, 'node_modules'))
  await using dev = new Line('npx millrace dev ./pipeline.ts --seconds 20', logins, env())
  await dev.says(/^Try next/, 3 * MINUTE)
  await type('npx millrace send user-login < records.ndjson', logins, env())
  await dev.says(/^done \d+\/\d+ \{"user_id":/, MINUTE)
  expect(await dev.ended).toBe(0)
  expect(dev.said.at(-1)).toBe('2 done, 1 dead')
  expect(await readdir(join(data.path, 'services'))).toEqual([])
})

test('a project from any shipped pipeline passes its own tests and types', {
  timeout: 10 * MINUTE,
}, async () => {
  const all = join(place, 'all')
  for (const name of shippedPipelines.keys())
    await writeAll(join(all, name), await scaffold({ folder: name, millrace: '*', from: name }))
  await writeFile(join(all, 'package.json'), '{ "type": "module" }')
  await writeFile(join(all, 'tsconfig.json'), tsconfigJson())
  const modules = join(all, 'node_modules')
  await mkdir(modules)
  // Millrace as it was installed, and the tools as they are here: nothing is brought for a second time.
  for (const name of ['millrace', 'typebox'])
    await symlink(join(here, 'node_modules', name), join(modules, name))
  const tools = join(root, 'node_modules')
  for (const name of ['@types', 'vitest']) await symlink(join(tools, name), join(modules, name))
  const tested = await type(`node "${join(tools, 'vitest/vitest.mjs')}" run`, all)
  expect(tested).toMatch(new RegExp(`Tests .*\\b${shippedPipelines.size * 2} passed`))
  await type(`node "${join(tools, 'typescript/bin/tsc')}"`, all)
})

test('in a clone, a project depends on the clone and runs what was built of it', {
  timeout: 5 * MINUTE,
}, async () => {
  const cloned = join(place, 'cloned')
  await type(`node "${join(root, 'cli/millrace.mjs')}" init "${cloned}"`, place)
  expect(JSON.parse(await readFile(join(cloned, 'package.json'), 'utf8'))).toMatchObject({
    dependencies: { millrace: `file:${root.replace(/\/$/, '')}` },
  })
  await mkdir(join(cloned, 'node_modules'))
  await symlink(root, join(cloned, 'node_modules/millrace'))
  const said = await type(
    'node node_modules/millrace/cli/millrace.mjs dry-run ./pipeline.ts < records.ndjson',
    cloned,
  )
  expect(said.split('\n').map((line) => JSON.parse(line).outcome)).toEqual(['done', 'dead', 'drop'])
})

test('on an older Node the program says in one line what to do', { timeout: MINUTE }, async () => {
  const old = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.9.0"})'
  const line = new Line(`node --import '${old}' node_modules/millrace/cli/millrace.mjs --version`, here)
  expect(await line.ended).toBe(1)
  expect(line.said).toEqual([
    'millrace: Node 24 or newer is needed, and this is 20.9.0; install it from nodejs.org, or for this folder alone with `npm install node@24`',
  ])
})

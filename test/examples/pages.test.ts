/** The examples as their pages show them: what is printed runs, what is copied needs nothing of the inside. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { serveCustomers } from '../../examples/http-lookup/server.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { isPipeline } from '../../pipelines/api/validate.ts'
import { run } from '../../pipelines/testing.ts'
import { millrace } from '../cli/millrace.ts'
import { code, described, files, importsOf, root, textOf } from '../house/tree.ts'

/** Each starts processes, on a machine that may be busy. */
vi.setConfig({ testTimeout: 60_000 })

const examples = [
  ...new Set(files.flatMap((path) => /^examples\/([^/]+)\//.exec(path)?.[1] ?? [])),
] as readonly string[]

test('there are three, each with its page', () => {
  expect(examples).toEqual(['geo-ip', 'http-lookup', 'top-pages'])
  for (const name of examples) expect(files).toContain(`examples/${name}/README.md`)
})

test('an example needs of Millrace what a user gets of it', () => {
  const foreign = code
    .filter((path) => path.startsWith('examples/'))
    .flatMap((path) =>
      importsOf(path).map((one) => ({ ...one, folder: path.split('/').slice(0, 2).join('/') })),
    )
    .filter(({ own, to, folder }) => own && !to.startsWith(`${folder}/`) && !to.startsWith('pipelines/api/'))
  expect(foreign.map(described)).toEqual([])
})

test.each(examples)('%s lints', async (name) => {
  const { code, stderr } = await millrace(['lint', `examples/${name}/pipeline.ts`])
  expect(code, stderr).toBe(0)
})

/** Of the first line of a page that runs a record through dry-run. */
const dryRunOf = (name: string, which = 0, env: Record<string, string> = {}) => {
  const lines = textOf(`examples/${name}/README.md`).split('\n')
  const line = lines.filter((one) => one.startsWith('echo') && one.includes('dry-run'))[which] ?? ''
  const [, record = '', set = '', words = ''] =
    /^echo '(.*)' \| (\w+=\S+ )?npx millrace (.*)$/.exec(line) ?? []
  const [variable = '', value = ''] = set.trim().split('=')
  const own = variable === '' ? {} : { [variable]: value }
  return millrace(words.split(' '), { stdin: `${record}\n`, env: { ...own, ...env } })
}

test('the dry-runs of the pages print what the pages say', async () => {
  // Its usual port may be taken here.
  await using server = await serveCustomers(0)
  const [unknown, known, top, lookUp] = await Promise.all([
    dryRunOf('geo-ip'),
    dryRunOf('geo-ip', 1),
    dryRunOf('top-pages'),
    dryRunOf('http-lookup', 0, { MILLRACE_OPTION_URL: server.url }),
  ])
  expect(JSON.parse(unknown.stdout)).toMatchObject({ value: { page: '/', country: 'unknown' } })
  expect(JSON.parse(known.stdout)).toMatchObject({ value: { page: '/', country: 'AA' } })
  expect(JSON.parse(top.stdout.split('\n')[1] ?? '')).toMatchObject({ aggregates: { pages: { '/a': 1 } } })
  expect(JSON.parse(lookUp.stdout)).toMatchObject({ value: { customer: 'c123', tier: 'gold' } })
})

test('the pipeline of docs/from-kafkajs.md does what the test beside it says', async () => {
  const blocks = [...textOf('docs/from-kafkajs.md').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(
    ([, text = '']) => text,
  )
  const [source = '', itsTest = ''] = blocks
  expect(itsTest).toContain("run(pipeline, [{ id: '1', price: 10 }, 'not json'], { options: { rate: 2 } })")
  await mkdir(join(root, '.millrace'), { recursive: true })
  const folder = await mkdtemp(join(root, '.millrace', 'example-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'pipeline.ts')
  const inside = pathToFileURL(join(root, 'pipelines/api/index.ts')).href
  await writeFile(path, source.replace("'millrace'", JSON.stringify(inside)))
  const { pipeline }: { pipeline: unknown } = await import(pathToFileURL(path).href)
  expect(isPipeline(pipeline)).toBe(true)
  const values = [{ id: '1', price: 10 }, 'not json']
  const { outcomes, aggregates } = await run(pipeline as AnyPipeline, values, {
    options: { rate: 2 },
    now: 0,
  })
  expect(outcomes).toMatchObject([{ value: { gross: 20 } }, { outcome: 'dead', code: 'not-json' }])
  expect(aggregates).toEqual({ orders_by_country: { '1970-01-01T00:00:00.000Z': { unknown: 1 } } })
})

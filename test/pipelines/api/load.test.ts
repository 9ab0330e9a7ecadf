import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lintWarnings } from '../../../pipelines/api/lint.ts'
import { loadPipeline } from '../../../pipelines/api/load.ts'
import { shippedPipelines } from '../../../pipelines/index.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-load-'))
})
afterAll(() => rm(folder, { recursive: true }))

let files = 0
const moduleOf = async (code: string): Promise<string> => {
  const path = join(folder, `pipeline-${files++}.mjs`)
  await writeFile(path, code)
  return path
}
const typebox = JSON.stringify(import.meta.resolve('typebox'))
const good = `import Type from ${typebox}
const it = { name: 'mine', topics: { input: 'in', deadLetters: 'dlq' }, schema: Type.Object({ id: Type.String() }) }\n`
/** A module that exports the good pipeline with some of it replaced. */
const variant = (change: string) => moduleOf(`${good}export const pipeline = { ...it, ${change} }`)

test.each([...shippedPipelines.keys()])('%s is loaded by its name', async (name) => {
  const { pipeline, url } = await loadPipeline(name)
  expect(pipeline.name).toBe(name)
  expect((await loadPipeline(url)).pipeline).toBe(pipeline)
})

test('a module is loaded by its path: the named export, or the default one', async () => {
  const named = await moduleOf(`${good}export const pipeline = it`)
  expect(await loadPipeline(named)).toMatchObject({
    pipeline: { name: 'mine' },
    url: pathToFileURL(named).href,
  })
  const unnamed = await moduleOf(`${good}export default it`)
  expect(await loadPipeline(unnamed)).toMatchObject({ pipeline: { name: 'mine' } })
})

describe('one clear line', () => {
  const refusal = async (nameOrPath: string) => {
    const error: unknown = await loadPipeline(nameOrPath).catch((refused: unknown) => refused)
    expect(error).toMatchObject({ name: 'MillraceError', code: 'pipeline-load' })
    const { message, remedy } = error as { message: string; remedy: string }
    expect(message).not.toContain('\n')
    return `${message}; ${remedy}`
  }

  test('for a name that is nearly right', async () => {
    expect(await refusal('user-logn')).toContain('did you mean user-login?')
  })
  test('for a path that does not exist', async () => {
    expect(await refusal('./nowhere.ts')).toContain('./nowhere.ts: no such file')
  })
  test('for a module whose imports are missing', async () => {
    const path = await moduleOf("import './missing.mjs'")
    expect(await refusal(path)).toContain('missing.mjs')
  })
  test('for a module without a pipeline', async () => {
    expect(await refusal(await moduleOf('export const x = 1'))).toContain(
      'exports neither pipeline nor default',
    )
    expect(await refusal(await moduleOf('export const pipeline = 5'))).toContain('made by definePipeline')
  })

  test.each([
    ["name: 'a/b'", '.name must be letters'],
    ["name: 'x'.repeat(300)", '.name is longer than 200'],
    ['topics: { input: "in" }', '.topics.deadLetters must be letters'],
    ['topics: { input: "in", deadLetters: "in" }', '.topics.deadLetters is the same topic as another'],
    [
      'topics: { input: "in", output: "in", deadLetters: "d" }',
      '.topics.output is the same topic as another',
    ],
    [
      'topics: { input: "in", outptu: "o", deadLetters: "d" }',
      '.topics.outptu is unknown; did you mean output?',
    ],
    ['schema: { type: "object" }', '.schema must be Type.Object'],
    [
      'schema: Type.Object(JSON.parse(\'{"__proto__":{"type":"string"}}\'))',
      'must not have a field __proto__',
    ],
    ['options: 5', '.options must be Type.Object'],
    ['proces: () => ({})', '.proces is unknown; did you mean process?'],
    ['process: {}', '.process must be a function'],
    ['setup: 1', '.setup must be a function'],
    ['eventTime: 1', '.eventTime must be a function'],
    ['repair: 1', '.repair must be a function'],
    ['masks: { id: "x" }', '.masks.id must be a function'],
    ['aggregates: { a: 5 }', '.aggregates.a must be an aggregate'],
    ['aggregates: { "a/b": { fold: "count", span: "total" } }', '.aggregates.a/b: its name must be letters'],
    ['aggregates: { a: { fold: "mean", field: "x", span: "total" } }', '.aggregates.a.fold must be one of'],
    ['aggregates: { a: { fold: "sum", span: "total" } }', '.aggregates.a.field must name a field'],
    [
      'aggregates: { a: { fold: "count", span: "day" } }',
      '.aggregates.a.span must be one of window, total, batch',
    ],
    [
      'aggregates: { a: { fold: "count", span: "window", size: 0, retention: 0 } }',
      '.aggregates.a.size must be',
    ],
    [
      'aggregates: { a: { fold: "count", span: "window", size: 5, retention: -1 } }',
      '.retention must be whole ms',
    ],
    [
      'aggregates: { a: { fold: "countBy", field: "x", cap: 0, span: "total" } }',
      '.aggregates.a.cap must be',
    ],
  ])('for { %s }', async (change, expected) => {
    expect(await refusal(await variant(change))).toContain(expected)
  })
})

describe('lint', () => {
  const warnings = async (change: string) =>
    lintWarnings((await loadPipeline(await variant(change))).pipeline)

  test('has nothing to say of a plain pipeline', async () => {
    expect(await warnings('')).toEqual([])
  })
  test.each([
    ['masks: { idd: String }', 'masks.idd: idd is no field of the schema: did you mean id?'],
    [
      'aggregates: { a: { fold: "max", field: "height", span: "total" } }',
      'aggregates.a: height is no field of the schema: process must add it',
    ],
    [
      'masks: { id: String }, aggregates: { a: { fold: "countBy", field: "id", cap: 5, span: "total" } }',
      'aggregates.a counts id as its mask leaves it',
    ],
    [
      'options: Type.Object({ apiUrl: Type.String() })',
      'options.apiUrl: MILLRACE_OPTION_API_URL must be set',
    ],
  ])('points at { %s }', async (change, expected) => {
    expect(await warnings(change)).toEqual([expected])
  })
})

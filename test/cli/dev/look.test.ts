import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lookAt } from '../../../cli/dev/look.ts'
import { sampleOf } from '../../../cli/dev/sample.ts'
import { prepare } from '../../../pipelines/api/execute.ts'
import { definePipeline, Type } from '../../../pipelines/api/index.ts'
import { runOne } from '../../pipelines/run-values.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-look-'))
})
afterAll(() => rm(folder, { recursive: true }))

const api = new URL('../../../pipelines/api/index.ts', import.meta.url).href
const write = (name: string, text: string) => writeFile(join(folder, name), text)
const source = (name: string) => `import { definePipeline, Type } from '${api}'
import { price } from './price.ts'
export const pipeline = definePipeline({
  name: '${name}',
  topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
  schema: Type.Object({ id: Type.String(), price }),
  options: Type.Object({ key: Type.String({ secret: true }) }),
})\n`

describe('a look at a module', { timeout: 120_000 }, () => {
  const path = () => join(folder, 'pipeline.ts')

  test('says what it is and which files it is made of, and sees each time what is there then', async () => {
    await write('price.ts', `import { Type } from '${api}'\nexport const price = Type.Number()\n`)
    await write('pipeline.ts', source('first'))
    const first = await lookAt(path())
    expect(first).toMatchObject({
      ok: true,
      seen: {
        name: 'first',
        topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
        secrets: { MILLRACE_OPTION_KEY: expect.stringMatching(/^[0-9a-f]{64}$/) },
        sample: '{"id":"x","price":0}',
      },
    })
    expect(first.files).toEqual(expect.arrayContaining([path(), join(folder, 'price.ts')]))
    await write('pipeline.ts', source('second'))
    expect(await lookAt(path())).toMatchObject({ ok: true, seen: { name: 'second' } })
  })

  test('tells what is wrong with it, and knows the file in which it is', async () => {
    await write('price.ts', 'oops oops\n')
    const look = await lookAt(path())
    expect(look).toMatchObject({
      ok: false,
      fault: { code: 'pipeline-load', message: expect.stringContaining('SyntaxError') },
    })
    expect(look.files).toContain(join(folder, 'price.ts'))
  })

  test('outlives a module that ends its process', async () => {
    await write('price.ts', 'export const price = 1\nprocess.exit(0)\n')
    expect(await lookAt(path())).toMatchObject({
      ok: false,
      fault: { message: expect.stringContaining('its module ends the process') },
    })
  })
})

test('a sample has every field that must be there; it fits where the schema says how', async () => {
  const schema = Type.Object({
    id: Type.String({ minLength: 3 }),
    kind: Type.Union([Type.Literal('a'), Type.Literal('b')]),
    price: Type.Number({ minimum: 5 }),
    country: Type.String({ default: 'unknown' }),
    note: Type.Optional(Type.String()),
    code: Type.Refine(Type.String(), (text) => text.startsWith('!')),
  })
  const sample = JSON.parse(sampleOf(schema)) as Record<string, unknown>
  expect(sample).toMatchObject({ kind: 'a', price: 5, country: 'unknown', code: expect.any(String) })
  expect(sample).not.toHaveProperty('note')
  const { code: _, ...plain } = schema.properties
  const pipeline = definePipeline({
    name: 'x',
    topics: { input: 'in', deadLetters: 'dlq' },
    schema: Type.Object(plain),
  })
  expect(await runOne(await prepare(pipeline), sampleOf(pipeline.schema))).toMatchObject({ outcome: 'done' })
})

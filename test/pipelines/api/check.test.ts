import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { definePipeline } from '../../../pipelines/api/define.ts'
import { runner, writtenBy } from '../run-values.ts'

const topics = { input: 'in', output: 'out', deadLetters: 'dlq' }
const open = definePipeline({ name: 'open', topics, schema: Type.Object({}) })
const codeOf = (result: object): unknown => ('code' in result ? result.code : undefined)

describe('schema', () => {
  const schema = Type.Object({
    first: Type.String({ minLength: 1 }),
    second: Type.Number({ description: 'a number' }),
    third: Type.Optional(Type.Boolean()),
    fourth: Type.String({ default: 'four' }),
    nested: Type.Object({ inner: Type.String({ default: 'in' }) }, { default: {} }),
  })
  const checked = definePipeline({ name: 'checked', topics, schema })
  const good = { first: 'a', second: 2, fourth: 'x', nested: { inner: 'y' } }

  test.each([
    ['schema:first', {}],
    ['schema:first', { ...good, first: undefined }],
    ['schema:first', { ...good, first: '', second: 'wrong too' }],
    ['schema:second', { ...good, second: '2' }],
    ['schema:third', { ...good, third: null }],
    ['schema:fourth', { ...good, fourth: null }],
    ['schema:nested', { ...good, nested: { inner: 5 } }],
  ])('%s: the first field that fails, missing and wrong alike', async (code, value) => {
    expect(codeOf(await (await runner(checked))(value))).toBe(code)
  })

  test('defaults fill only what is absent, also further down', async () => {
    const run = await runner(checked)
    expect(writtenBy(await run({ first: 'a', second: 2 }))).toEqual({
      first: 'a',
      second: 2,
      fourth: 'four',
      nested: { inner: 'in' },
    })
    expect(writtenBy(await run(good))).toEqual(good)
  })

  test('a default is nobody else’s: changing one record changes no other', async () => {
    const changing = definePipeline({
      name: 'changing',
      topics,
      schema: Type.Object({ list: Type.Array(Type.Number(), { default: [] }) }),
      process: (record) => {
        record.list.push(1)
        return record
      },
    })
    const run = await runner(changing)
    await run({})
    expect(writtenBy(await run({}))).toEqual({ list: [1] })
  })

  test('error texts name field and expectation, never a value', async () => {
    const run = await runner(checked)
    const wrong = await run({ ...good, second: 'secret' })
    expect(wrong).toMatchObject({ message: 'second does not fit the schema: expected a number' })
    expect(await run({ first: 'secret' })).toMatchObject({ message: 'second is missing: expected a number' })
  })

  test('a record that fits in every field but not as a whole has a code too', async () => {
    const strict = { ...open, schema: Type.Object({}, { additionalProperties: false }) }
    expect(codeOf(await (await runner(strict))({ extra: 1 }))).toBe('schema:(record)')
  })

  test('a missing field is missing also where objects inherit one of its name', async () => {
    const odd = { ...open, schema: Type.Object({ toString: Type.String({ default: 'd' }) }) }
    expect(writtenBy(await (await runner(odd))({}))).toEqual({ toString: 'd' })
  })
})

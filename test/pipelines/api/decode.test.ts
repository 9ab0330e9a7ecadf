import fc from 'fast-check'
import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { failureKinds } from '../../../pipelines/api/codes.ts'
import { definePipeline } from '../../../pipelines/api/define.ts'
import { prepare } from '../../../pipelines/api/execute.ts'
import { runner, runOne, writtenBy } from '../run-values.ts'

const topics = { input: 'in', output: 'out', deadLetters: 'dlq' }
const open = definePipeline({ name: 'open', topics, schema: Type.Object({}) })

describe('a value that is no object', () => {
  test.each([
    ['tombstone', null],
    ['not-utf8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])],
    ['not-utf8', Buffer.from([0xed, 0xa0, 0x80])],
    ['not-json', ''],
    ['not-json', 'NaN'],
    ['not-json', '{"a":NaN}'],
    ['not-json', '{"a":-Infinity}'],
    ['not-json', "{'a':1}"],
    ['not-json', '{"a":1}{"a":2}'],
    ['not-json', '\uFEFF{"a":1}'],
    ['not-json', '['.repeat(300)],
    ['too-deep', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['too-deep', `{"a":${'{"a":['.repeat(128)}${']}'.repeat(128)}}`],
    ['not-an-object', '[{"a":1}]'],
    ['not-an-object', 'null'],
    ['not-an-object', '17'],
    ['not-an-object', '"{}"'],
  ])('is dead with %s: %s', async (code, value) => {
    const run = await runner(open)
    const result = await run(value)
    expect(result).toEqual({ outcome: 'dead', code, message: failureKinds[code as 'tombstone'].meaning })
  })

  test('is dead with too-large above the limit, and passes at it', async () => {
    const prepared = await prepare(open, {}, { maxRecordBytes: 10 })
    expect(runOne(prepared, '{"a":1234}')).toMatchObject({ outcome: 'done' })
    expect(runOne(prepared, '{"a":12345}')).toMatchObject({ outcome: 'dead', code: 'too-large' })
  })
})

describe('hostile, but an object', () => {
  test.each([
    ['a replacement character that is really there', '{"a":"\uFFFD"}'],
    ['a __proto__ key', '{"__proto__":{"polluted":true},"constructor":{"prototype":1}}'],
    ['a lone surrogate', '{"a":"\\ud800"}'],
    ['brackets in strings', JSON.stringify({ a: '[{'.repeat(5000), b: '\\"[[' })],
    ['brackets after an escaped quote', JSON.stringify({ a: `"${'['.repeat(600)}` })],
    ['256 levels', `${'{"a":'.repeat(256)}1${'}'.repeat(256)}`],
    ['numbers for keys', '{"2":1,"1":2}'],
  ])('%s passes through unchanged', async (_, text) => {
    const result = await (await runner(open))(text)
    expect(writtenBy(result)).toEqual(JSON.parse(text))
    expect(Object.prototype).not.toHaveProperty('polluted')
  })

  test('fields that look like a verdict or a promise are fields', async () => {
    const run = await runner({ ...open, process: (record) => ({ ...record }) })
    const record = JSON.parse('{"outcome":"dead","code":"x","message":"y","then":{"a":1}}')
    expect(writtenBy(await run(record))).toEqual(record)
  })

  test('any text at all ends in an outcome, at once', async () => {
    const prepared = await prepare(open)
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.uint8Array()), (value) => {
        const result = runOne(prepared, typeof value === 'string' ? value : Buffer.from(value))
        expect(result).toHaveProperty('outcome')
      }),
    )
  })

  test('any object passes through: value and JSON say the same', async () => {
    const prepared = await prepare(open)
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (record) => {
        const text = JSON.stringify(record)
        const result = runOne(prepared, text)
        expect(result).toMatchObject({ outcome: 'done', json: text })
        expect(result).toHaveProperty('value', JSON.parse(text))
      }),
    )
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Type, { type TObject } from 'typebox'
import { expect, test } from 'vitest'
import { definePipeline } from '../../../pipelines/api/define.ts'
import { makeSecrets, resolveOptions } from '../../../pipelines/api/options.ts'

const withOptions = (options: TObject) =>
  definePipeline({
    name: 'it',
    topics: { input: 'in', deadLetters: 'dlq' },
    schema: Type.Object({}),
    options,
  })

const all = withOptions(
  Type.Object({
    apiUrl: Type.String(),
    max_items: Type.Integer({ minimum: 1, default: 10 }),
    ratio: Type.Number({ default: 0.5 }),
    strict: Type.Boolean({ default: false }),
    tags: Type.Array(Type.String(), { default: [] }),
    note: Type.Optional(Type.String()),
  }),
)

test('defaults stand where nothing is set; an empty variable is none', () => {
  expect(
    resolveOptions(all, { MILLRACE_OPTION_API_URL: 'u', MILLRACE_OPTION_RATIO: '', OTHER: 'x' }),
  ).toEqual({
    apiUrl: 'u',
    max_items: 10,
    ratio: 0.5,
    strict: false,
    tags: [],
  })
})

test('texts become what the schema says', () => {
  const env = {
    MILLRACE_OPTION_API_URL: '5',
    MILLRACE_OPTION_MAX_ITEMS: '7',
    MILLRACE_OPTION_RATIO: '0.25',
    MILLRACE_OPTION_STRICT: 'true',
    MILLRACE_OPTION_TAGS: '["a","b"]',
    MILLRACE_OPTION_NOTE: 'n',
  }
  expect(resolveOptions(all, env)).toEqual({
    apiUrl: '5',
    max_items: 7,
    ratio: 0.25,
    strict: true,
    tags: ['a', 'b'],
    note: 'n',
  })
})

test.each([
  [{}, 'MILLRACE_OPTION_API_URL is not set'],
  [{ MILLRACE_OPTION_MAX_ITEMS: '0' }, 'MILLRACE_OPTION_MAX_ITEMS does not fit'],
  [{ MILLRACE_OPTION_MAX_ITEMS: 'secret' }, 'MILLRACE_OPTION_MAX_ITEMS does not fit'],
  [{ MILLRACE_OPTION_MAX_ITEMS: '1.5' }, 'MILLRACE_OPTION_MAX_ITEMS does not fit'],
  [{ MILLRACE_OPTION_RATIO: ' ' }, 'MILLRACE_OPTION_RATIO does not fit'],
  [{ MILLRACE_OPTION_STRICT: 'perhaps' }, 'MILLRACE_OPTION_STRICT does not fit'],
  [{ MILLRACE_OPTION_TAGS: '[1]' }, 'MILLRACE_OPTION_TAGS does not fit'],
  [{ MILLRACE_OPTION_TAGS: '[' }, 'MILLRACE_OPTION_TAGS does not fit'],
])('%j is refused, without its value', (env, message) => {
  const resolve = () =>
    resolveOptions(all, { ...(message.includes('API_URL') ? {} : { MILLRACE_OPTION_API_URL: 'u' }), ...env })
  expect(resolve).toThrow(expect.objectContaining({ code: 'settings', message }))
})

test('an unknown option is refused with the nearest known one', () => {
  expect(() => resolveOptions(all, { MILLRACE_OPTION_MAXITEMS: '5' })).toThrow(
    expect.objectContaining({ remedy: 'did you mean MILLRACE_OPTION_MAX_ITEMS?' }),
  )
  expect(() => resolveOptions(withOptions(Type.Object({})), { MILLRACE_OPTION_X: '5' })).toThrow(
    expect.objectContaining({ remedy: 'unset it: this pipeline has no options' }),
  )
})

test('secrets that are not set can be made, and no others', () => {
  const secret = withOptions(
    Type.Object({ key: Type.String({ minLength: 16, secret: true }), plain: Type.String() }),
  )
  const made = makeSecrets(secret, {})
  expect(Object.keys(made)).toEqual(['MILLRACE_OPTION_KEY'])
  expect(makeSecrets(secret, {})).not.toEqual(made)
  expect(makeSecrets(secret, { MILLRACE_OPTION_KEY: 'mine' })).toEqual({})
  expect(resolveOptions(secret, { ...made, MILLRACE_OPTION_PLAIN: 'p' })).toEqual({
    key: made.MILLRACE_OPTION_KEY,
    plain: 'p',
  })
})

test('a secret option may stand in a file; any other may not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-option-'))
  try {
    const file = join(folder, 'key')
    writeFileSync(file, '0123456789abcdef\n')
    const pipeline = withOptions(
      Type.Object({ key: Type.String({ minLength: 16, secret: true }), tag: Type.String({ default: 't' }) }),
    )
    const env = { MILLRACE_OPTION_KEY_FILE: file }
    expect(resolveOptions(pipeline, env)).toEqual({ key: '0123456789abcdef', tag: 't' })
    expect(makeSecrets(pipeline, env)).toEqual({})
    expect(() => resolveOptions(pipeline, { ...env, MILLRACE_OPTION_KEY: 'x' })).toThrow('are both set')
    expect(() => resolveOptions(pipeline, { ...env, MILLRACE_OPTION_TAG_FILE: file })).toThrow(
      'no option MILLRACE_OPTION_TAG_FILE',
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

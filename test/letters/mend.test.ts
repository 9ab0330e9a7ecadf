import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../cluster/errors.ts'
import { changedFields, Mender } from '../../letters/mend.ts'
import { applyRules, parseRule, rulesText } from '../../letters/rules.ts'
import { prepare } from '../../pipelines/api/execute.ts'
import { letter } from './made.ts'
import { good, pipeline } from './pipeline.ts'

const rule = (kind: 'default' | 'set', text: string) => parseRule(kind, text, pipeline)

describe('a rule', () => {
  test('takes JSON or text, whichever the schema wants', () => {
    expect(rule('set', 'time=0').value).toBe(0)
    expect(rule('set', 'version=2').value).toBe('2')
    expect(rule('set', 'device=null').value).toBe('null')
    expect(rule('set', 'device=a=b').value).toBe('a=b')
    expect(rule('set', 'time=soon').value).toBe('soon')
    expect(rule('set', 'time={"a":1}').value).toEqual({ a: 1 })
  })

  test.each(['device', '=a', ''])('%j is none, and says what is', (text) =>
    expect(() => rule('default', text)).toThrow(
      expect.objectContaining({ code: 'usage', remedy: 'give field=value' }),
    ),
  )

  test('names a field of the schema', () => {
    expect(() => rule('set', 'devise=a')).toThrow(MillraceError)
    expect(() => rule('set', 'devise=a')).toThrow(expect.objectContaining({ remedy: 'did you mean device?' }))
    expect(() => rule('set', 'toString=a')).toThrow('no field toString')
  })

  test('default fills in what is absent, set replaces, and the original stays as it is', () => {
    const rules = [rule('default', 'device=x'), rule('set', 'version=2')]
    const before = { version: '1' }
    expect(applyRules(rules, before)).toEqual({ version: '2', device: 'x' })
    expect(applyRules(rules, { device: 'kept' })).toMatchObject({ device: 'kept' })
    expect(before).toEqual({ version: '1' })
  })

  test('is told without its value, which may be personal', () =>
    expect(rulesText([rule('set', 'user=ann'), rule('default', 'time=0')])).toBe('--set user --default time'))
})

const mend = async (value: unknown, rules = [rule('default', 'device=x')], code = 'schema:device') => {
  const prepared = await prepare(pipeline)
  const { signal } = new AbortController()
  const mender = new Mender({ prepared, rules, maxRecordBytes: 1000, now: () => 1, signal })
  const bytes = Buffer.isBuffer(value) || value === null ? value : Buffer.from(JSON.stringify(value))
  return mender.mend(letter({ value: bytes, code }))
}
const { device: _, ...bare } = good

describe('a letter', () => {
  test('is mended where the pipeline takes what the rules make of it', async () => {
    const mended = await mend(bare)
    expect(mended).toMatchObject({ result: 'mended', before: bare, after: { ...bare, device: 'x' } })
    if (mended.result !== 'mended') return
    expect(JSON.parse(mended.value.toString()), 'unmasked: it goes through the pipeline again').toEqual({
      ...bare,
      device: 'x',
    })
    expect(changedFields(mended.before, mended.after)).toEqual(['device'])
  })

  test('fails on where the schema or process refuses it', async () => {
    expect(await mend({ ...bare, time: 'x' })).toEqual({
      result: 'failing',
      code: 'schema:time',
      changed: true,
    })
    expect(await mend({ ...good, time: -1 })).toEqual({
      result: 'failing',
      code: 'before-time',
      changed: false,
    })
    expect(await mend(good, [rule('set', 'time=soon')])).toMatchObject({ code: 'schema:time', changed: true })
  })

  test('that is no JSON object cannot be mended', async () => {
    for (const [value, code] of [
      [null, 'tombstone'],
      [Buffer.from('{'), 'not-json'],
      [[1], 'not-an-object'],
    ] as const)
      expect(await mend(value)).toEqual({ result: 'failing', code, changed: false })
  })

  test('is sound where nothing has to be changed', async () =>
    expect(await mend(good)).toEqual({ result: 'sound' }))

  test("without rules the pipeline's own repair mends it; where that throws, the letter fails", async () => {
    expect(await mend(bare, [])).toMatchObject({ result: 'mended', after: { device: 'mended' } })
    expect(await mend(bare, [], 'other')).toMatchObject({ result: 'failing', code: 'schema:device' })
    expect(await mend({ ...bare, throws: true }, [])).toMatchObject({
      result: 'failing',
      code: 'repair-threw',
    })
  })
})

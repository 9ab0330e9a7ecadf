import { describe, expect, test } from 'vitest'
import { cureOf, cureText, Groups } from '../../letters/groups.ts'
import { letterJson, parkedLetter } from '../../letters/lines.ts'
import { previewHeaders, previewKey, previewValue } from '../../letters/preview.ts'
import { type Selection, selectionText, selects } from '../../letters/selection.ts'
import { letter } from './made.ts'
import { good, pipeline } from './pipeline.ts'

const masked = { pipeline, raw: false }
const raw = { pipeline, raw: true }
const json = (value: unknown) => Buffer.from(JSON.stringify(value))

describe('a preview', () => {
  test('masks what the pipeline masks, hides what the schema does not know, shows the rest', () => {
    expect(previewValue(json({ ...good, email: 'ann@example.org' }), masked)).toEqual({
      fields: { ...good, user: 'a***', email: '***' },
    })
    expect(previewValue(json({ user: { name: 'ann' }, time: 'x' }), masked)).toEqual({
      fields: { user: '{***', time: 'x' },
    })
    expect(previewValue(json(good), raw)).toEqual({ fields: good })
    expect(previewValue(null, masked)).toBeNull()
  })

  test('a mask that throws hides', () => {
    const throwing = {
      ...pipeline,
      masks: {
        user: () => {
          throw new Error('mask')
        },
      },
    }
    expect(previewValue(json(good), { ...masked, pipeline: throwing })).toMatchObject({
      fields: { user: '***' },
    })
  })

  test('of broken bytes only the shape is shown, and control characters never', () => {
    const broken = Buffer.concat([Buffer.from('{"user":"Änn9\x1b[2J"'), Buffer.from([0xff])])
    expect(previewValue(Buffer.from('{"user":"Änn9\x1b'), masked)).toMatchObject({
      shape: '{"xxxx":"xxx0\\x1b',
      bytes: 15,
    })
    expect(JSON.stringify(previewValue(broken, masked))).not.toContain('nn9')
    expect(previewValue(broken, raw)).toMatchObject({
      text: expect.stringMatching(/nn9\\x1b\[2J"\\xff$/),
      hex: broken.toString('hex'),
    })
  })

  test('keys and headers are hidden', () => {
    expect(previewKey(Buffer.from('user-4711-0815'), masked)).toBe('***0815')
    expect(previewKey(Buffer.from('ann'), masked)).toBe('***')
    expect(previewKey(Buffer.from('ann'), raw)).toBe('ann')
    const headers = [['who', Buffer.from('ann')]] as const
    expect(previewHeaders(headers, masked)).toEqual([['who', '***']])
    expect(previewHeaders(headers, raw)).toEqual([['who', 'ann']])
  })
})

describe('groups', () => {
  const at = (time: number, code: string, message = '') => letter({ at: time, code, message })

  test('letters of one code and message are one problem, the largest first', () => {
    const groups = new Groups()
    for (const one of [
      at(5, 'a'),
      at(1, 'schema:user', 'missing'),
      at(9, 'schema:user', 'missing'),
      at(3, 'schema:user', 'unfit'),
    ])
      groups.add(one)
    expect(groups.take()).toMatchObject([
      {
        code: 'schema:user',
        field: 'user',
        message: 'missing',
        count: 2,
        first: 1,
        last: 9,
        example: { at: 9 },
      },
      { code: 'a', count: 1 },
      { code: 'schema:user', message: 'unfit', count: 1 },
    ])
  })

  test('a pipeline that invents messages fills no memory, and every letter counts', () => {
    const groups = new Groups()
    for (let index = 0; index < 5000; index++) groups.add(at(index, `code-${index % 2}`, `message ${index}`))
    const found = groups.take()
    expect(found.length).toBeLessThanOrEqual(202)
    expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(5000)
    expect(found[0]).toMatchObject({ message: '' })
  })

  test.each([
    ['schema:device', { user: 'a' }, true, "millrace dlq repair p --code 'schema:device'"],
    [
      'schema:device',
      { user: 'a' },
      false,
      "millrace dlq repair p --code 'schema:device' --default device=<value>",
    ],
    ['schema:time', { time: 'x' }, false, "millrace dlq repair p --code 'schema:time' --set time=<value>"],
    ['process-threw', good, false, "millrace dlq replay p --code 'process-threw', once its cause is gone"],
    [
      'of-the-pipeline',
      good,
      false,
      "millrace dlq replay p --code 'of-the-pipeline', once its cause is gone",
    ],
    ['not-json', undefined, false, 'mend its producer'],
  ])('%s of %j: what mends it', (code, value, repairs, expected) => {
    const cure = cureOf({ example: letter({ code }), code, value, repairs }, pipeline)
    expect(cureText(cure, code, 'p')).toBe(expected)
  })
})

describe('a selection', () => {
  const none: Selection = { codes: [], fields: [], places: [] }
  const one = letter({ code: 'schema:user', at: 100 })

  test.each<[Partial<Selection>, boolean]>([
    [{}, true],
    [{ codes: ['a', 'schema:user'] }, true],
    [{ codes: ['a'] }, false],
    [{ fields: ['user'] }, true],
    [{ fields: ['time'] }, false],
    [{ from: 100, to: 101 }, true],
    [{ to: 100 }, false],
    [{ from: 101 }, false],
    [{ places: [{ topic: 'in', partition: 3, offset: 42 }] }, true],
    [{ places: [{ topic: 'dlq', partition: 0, offset: 7 }] }, true],
    [{ places: [{ topic: 'dlq', partition: 0, offset: 8 }] }, false],
    [{ codes: ['schema:user'], fields: ['time'] }, false],
  ])('%j: %s', (part, expected) => expect(selects({ ...none, ...part }, one)).toBe(expected))

  test('is told as it would be typed', () =>
    expect(selectionText({ ...none, codes: ['a'], fields: ['b'], from: 0, places: [one.place] })).toBe(
      '--code a --field b --from 1970-01-01T00:00:00.000Z --letter dlq/0/7',
    ))
})

describe('a line of JSON', () => {
  test('holds the whole letter, what is no text as base64', () => {
    const line = letterJson(letter({ value: Buffer.from([0xff]), headers: [['a', null]] }), {
      why: 'looping',
    })
    expect(JSON.parse(line)).toMatchObject({
      letter: 'dlq/0/7',
      origin: 'in/3/42',
      key: 'key',
      valueBase64: '/w==',
      headers: [{ name: 'a', value: null }],
      why: 'looping',
    })
  })

  test('is known again, unless it is cut off or of a topic that is no more', () => {
    const line = letterJson(letter(), { topicId: 't' })
    expect(parkedLetter(line, 't')).toBe('dlq/0/7')
    expect(parkedLetter(line, 'u')).toBeUndefined()
    for (const text of ['', line.slice(0, 40), 'null', '1']) expect(parkedLetter(text, 't')).toBeUndefined()
  })
})

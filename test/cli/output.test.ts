import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { header, rate, share, wholeNumber } from '../../cli/arguments.ts'
import { table } from '../../cli/output.ts'
import { progressLine } from '../../cli/progress.ts'
import { recordJson } from '../../cli/record-text.ts'
import { printable } from '../../cluster/printable.ts'

test('a table has columns of equal width, numbers to the right', () =>
  expect(
    table(
      ['name', 'count'],
      [
        ['android', '7'],
        ['iOS', '1,234'],
      ],
    ),
  ).toBe('name     count\nandroid      7\niOS      1,234'))

test('progress has a bar where there is an end, and none elsewhere', () => {
  expect(progressLine({ done: 500, total: 2000, elapsed: 1000 })).toBe(
    '[######------------------] 25% 500 of 2,000, 500/s, 3 s left',
  )
  expect(progressLine({ done: 500, total: Number.POSITIVE_INFINITY, elapsed: 1000 })).toBe('500, 500/s')
  expect(progressLine({ done: 0, total: 0, elapsed: 0 })).toBe('[########################] 100% 0 of 0, 0/s')
})

test('arguments are read or refused with what was expected', () => {
  expect([share('0.05'), share('5%'), rate('0'), wholeNumber('12')]).toEqual([0.05, 0.05, 0, 12])
  expect(() => share('101%')).toThrow('share')
  expect(() => wholeNumber('1.5')).toThrow('whole number')
  expect(() => rate('-1')).toThrow('number')
  expect(header('a=b=c', header('a=1'))).toEqual([
    ['a', '1'],
    ['a', 'b=c'],
  ])
})

test('neither control characters nor broken UTF-8 reach the terminal', () => {
  expect(printable(Buffer.from('grün\x1b[31m\n'))).toBe('grün\\x1b[31m\\x0a')
  expect(printable(Buffer.from([0x61, 0xff, 0x0a]))).toBe('a\\xff\\x0a')
})

test('a record as JSON loses nothing: what is no text is base64', () => {
  const record = {
    partition: 1,
    offset: 7,
    timestamp: 0,
    key: Buffer.from([0xff]),
    value: null,
    headers: [
      ['a', Buffer.from('1')],
      ['a', null],
    ] as [string, Buffer | null][],
  }
  expect(JSON.parse(recordJson('t', record))).toEqual({
    topic: 't',
    partition: 1,
    offset: 7,
    timestamp: '1970-01-01T00:00:00.000Z',
    keyBase64: '/w==',
    value: null,
    headers: [
      { name: 'a', value: '1' },
      { name: 'a', value: null },
    ],
  })
})

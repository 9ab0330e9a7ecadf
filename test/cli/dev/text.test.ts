import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  deadLine,
  doneLine,
  droppedLines,
  insightLine,
  type OutcomeLine,
} from '../../../cli/dev/outcome-text.ts'
import { OutcomePrinter } from '../../../cli/dev/printer.ts'
import { screen } from '../../../cli/dev/screen.ts'
import type { TailedRecord } from '../../../cli/tail.ts'
import { namesOf } from '../../../cluster/protocol/names.ts'
import { readSettings } from '../../../cluster/settings.ts'

const record = (value: string | null, headers: Readonly<Record<string, string>> = {}): TailedRecord => ({
  partition: 7,
  offset: 70,
  timestamp: 0,
  key: null,
  value: value === null ? null : Buffer.from(value),
  headers: Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const),
})
const plain = ({ text }: OutcomeLine) => stripVTControlCharacters(text)
const origin = { 'millrace-origin': 'orders/3/12' }

describe('a line a record', () => {
  test('says outcome, place in the input, code and value', () => {
    expect(plain(doneLine(record('{"id":1}', origin)))).toBe('done 3/12 {"id":1}')
    expect(plain(deadLine(record('no\njson', { ...origin, 'millrace-error-code': 'not-json' })))).toBe(
      'dead 3/12 not-json no\\x0ajson',
    )
    expect(plain(deadLine(record(null, { ...origin, 'millrace-error-code': 'tombstone' })))).toBe(
      'dead 3/12 tombstone null',
    )
    expect(plain(insightLine(record('{"metric":"x"}')))).toBe('insight {"metric":"x"}')
  })

  test('counts the last header of a name: a record may bring one of its own', () => {
    const both = record('{}', origin)
    const own: [string, Buffer] = ['millrace-origin', Buffer.from('orders/9/99')]
    expect(plain(doneLine({ ...both, headers: [own, ...both.headers] }))).toBe('done 3/12 {}')
  })

  test('a range of drops is a line an offset; done ones of a pipeline without output as well', () => {
    const range = { partition: 2, from: 5, to: 6, code: 'test-order' }
    expect(droppedLines(record(JSON.stringify(range))).map(plain)).toEqual([
      'drop 2/5 test-order',
      'drop 2/6 test-order',
    ])
    const done = { ...range, to: 5, code: 'done', fate: 'done' }
    expect(droppedLines(record(JSON.stringify(done))).map(plain)).toEqual(['done 2/5'])
    expect(droppedLines(record(null))).toEqual([])
  })
})

describe('many records', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())
  const one: OutcomeLine = { outcome: 'done', text: 'one' }

  test('do not flood the terminal: of the rest of a second it is said how many', () => {
    const lines: string[] = []
    using printer = new OutcomePrinter((line) => lines.push(line))
    for (let i = 0; i < 2100; i++) printer.show(one)
    expect(lines).toHaveLength(100)
    vi.advanceTimersByTime(1000)
    expect(lines.slice(100).map(stripVTControlCharacters)).toEqual(['... and 2,000 more'])
    printer.show({ outcome: 'drop', text: 'two' })
    expect(lines.at(-1)).toBe('two')
    expect(printer.summary()).toBe('2,100 done, 1 drop')
  })

  test('none at all is said too', () => {
    using printer = new OutcomePrinter(() => undefined)
    expect(printer.summary()).toBe('no record came')
  })
})

describe('the first screen', () => {
  const parts = {
    name: 'orders',
    path: './pipeline.ts',
    names: namesOf('orders', { input: 'orders', output: 'priced', deadLetters: 'dlq' }),
    settings: readSettings({}, { httpPort: 4321 }),
    env: '',
    records: { file: 'records.ndjson' },
    seconds: undefined,
  }
  const text = (more: Partial<Parameters<typeof screen>[0]> = {}) =>
    stripVTControlCharacters(screen({ ...parts, ...more }))

  test('says where things are and ends with what to try', () => {
    const lines = text().split('\n')
    expect(lines[0]).toBe('orders runs, from ./pipeline.ts')
    expect(text()).toMatch(/^ {2}status +http:\/\/127\.0\.0\.1:4321\/api\/status$/m)
    expect(text()).toMatch(/^ {2}dead letters +dlq$/m)
    expect(lines.at(-4)).toMatch(/^ {2}npx millrace send orders < records\.ndjson +send a record$/)
    expect(lines.at(-1)).toBe('Edit ./pipeline.ts and save it: it starts again by itself. Ctrl-C ends it.')
    expect(text({ seconds: 20 })).toContain('It ends after 20 s.')
  })

  test('without records at hand it makes one up, as a shell takes it; other terminals get what they must set', () => {
    const other = text({ records: { sample: `{"id":"it's"}` }, env: 'MILLRACE_TOPIC_PREFIX=dev-orders. ' })
    expect(other).toContain(
      `echo '{"id":"it'\\''s"}' | MILLRACE_TOPIC_PREFIX=dev-orders. npx millrace send orders`,
    )
    expect(other).toContain('MILLRACE_TOPIC_PREFIX=dev-orders. npx millrace audit ./pipeline.ts')
  })
})

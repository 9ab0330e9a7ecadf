/** Golden files: tables of records and what becomes of them, to be read by people. Their own heads say how. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { type Outcome, run, type TestValue } from '../../pipelines/testing.ts'

/** When every record of them is processed: 2023-09-12 00:46:40 and a fraction, which whole seconds cut off. */
export const NOW = Date.UTC(2023, 8, 12, 0, 46, 40, 999)

interface Case {
  readonly title: string
  readonly input: TestValue
  readonly expected: string
}

const CASE = /^== (.+)\n<- ?(.*)\n-> (.+)$/gm
const BYTES = '(bytes) '

const inputOf = (text: string): TestValue => {
  if (text === '(tombstone)') return null
  return text.startsWith(BYTES) ? Buffer.from(text.slice(BYTES.length).replaceAll(' ', ''), 'hex') : text
}

const casesOf = (name: string): readonly Case[] => {
  const text = readFileSync(new URL(`./golden/${name}.txt`, import.meta.url), 'utf8')
  const cases = [...text.matchAll(CASE)].map(([, title = '', input = '', expected = '']) => ({
    title,
    input: inputOf(input),
    expected,
  }))
  // A line out of place would make no case, and nobody would miss it.
  if (cases.length !== text.match(/^==/gm)?.length) throw new Error(`${name}.txt: a case is malformed`)
  return cases
}

/** As a golden file says it; the order of the fields counts. */
const said = (outcome: Outcome): string =>
  outcome.outcome === 'done' ? JSON.stringify(outcome.value) : `${outcome.outcome} ${outcome.code}`

/** What a record says in texts. */
const textsIn = (input: TestValue): readonly string[] =>
  [...String(input).matchAll(/"([^"\\]{5,})"(?! *:)/g)].map(([, text = '']) => text)

/** One test a case, and what holds for all of them. */
export const goldenTests = (pipeline: AnyPipeline): void => {
  const cases = casesOf(pipeline.name)
  const outcomeOf = async (input: TestValue): Promise<Outcome> => {
    const [outcome] = (await run(pipeline, [input], { now: NOW })).outcomes
    if (outcome === undefined) throw new Error('no outcome')
    return outcome
  }

  test.each(cases)('$title', async ({ input, expected }) => {
    expect(said(await outcomeOf(input))).toBe(expected)
  })

  test('no error text repeats what was in the record', async () => {
    let texts = 0
    for (const { input, expected } of cases.filter((one) => /^d(ead|rop) /.test(one.expected)))
      for (const text of textsIn(input)) {
        expect(JSON.stringify(await outcomeOf(input)), expected).not.toContain(text)
        texts++
      }
    expect(texts).toBeGreaterThan(50)
  })
}

export const LOGIN = {
  user_id: '424cdd21-063a-43a7-b91b-7ca1a833afae',
  app_version: '2.3.0',
  device_type: 'android',
  ip: '199.172.111.135',
  locale: 'RU',
  device_id: '593-47-5928',
  timestamp: 1694479551,
}

/** As many logins as there are locales in the text. */
export const loginsFrom = (locales: string, more: object = {}): readonly object[] =>
  locales.split(' ').map((locale) => ({ ...LOGIN, locale, ...more }))

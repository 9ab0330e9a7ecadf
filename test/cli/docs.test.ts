import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errorKinds } from '../../cluster/errors.ts'
import { settingsTable } from '../../cluster/settings.ts'
import { drifted } from '../../scripts/generate.ts'

const page = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the pages made from tables are up to date: run `npm run generate`', () => expect(drifted()).toEqual([]))

test('every setting and every error stands in its page', () => {
  for (const { env } of Object.values(settingsTable)) expect(page('docs/settings.md')).toContain(`\`${env}\``)
  for (const name of Object.keys(errorKinds)) expect(page('docs/exit-codes.md')).toContain(`\`${name}\``)
})

test('no page names a machine: defaults do not depend on where they were made', () =>
  expect(page('docs/settings.md')).toContain('| `MILLRACE_THREADS` | 1 to 64 | the cores, at most 8 |'))

/** docs/troubleshooting.md, held equal to the tables of errors and of record codes. */
import { expect, test } from 'vitest'
import { errorKinds } from '../../cluster/errors.ts'
import { failureKinds } from '../../pipelines/api/codes.ts'
import { textOf } from './tree.ts'

/** Cells of the rows of a section's table whose first cell is a code. */
const rowsOf = (heading: string): readonly (readonly string[])[] => {
  const [, section = ''] = textOf('docs/troubleshooting.md').split(`\n## ${heading}\n`)
  return [...(section.split('\n## ')[0] ?? '').matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(
    ([, code = '', rest = '']) => [code, ...rest.split(' | ')],
  )
}

test('every error has its row, with its exit code, in the order of the table', () => {
  const rows = rowsOf('By error code')
  expect(rows.map(([code, exit]) => [code, Number(exit)])).toEqual(
    Object.entries(errorKinds).map(([code, { exit }]) => [code, exit]),
  )
  for (const row of rows) expect(row, row[0]).toHaveLength(4)
})

test('every record code has its row, in the order of the table', () => {
  const rows = rowsOf('By record code')
  expect(rows.map(([code]) => code)).toEqual(Object.keys(failureKinds))
  for (const row of rows) expect(row, row[0]).toHaveLength(3)
})

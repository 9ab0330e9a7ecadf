import { failureKinds } from '../../pipelines/api/codes.ts'
import { madeFrom, markdownTable } from './markdown.ts'

const rows = (): readonly (readonly string[])[] =>
  Object.entries(failureKinds).map(([code, { meaning, retriable }]) => [
    `\`${code}\``,
    meaning,
    retriable ? 'yes' : 'no',
  ])

export const recordCodesPage = (): string =>
  `${madeFrom('pipelines/api/codes.ts')}
# Why a record became a dead letter

The code stands in the header \`millrace-error-code\` of the dead letter, a text for people without any value of the record in
\`millrace-error-message\`. A pipeline adds codes of its own with \`retry(code)\`, \`dead(code)\` and \`drop(code)\`.

"May pass later" tells which failures a retry can mend: such a record runs again from the retry queue, and becomes a dead letter with
that code after its last run. \`millrace-attempts\` counts its runs.

${markdownTable(['code', 'meaning', 'may pass later'], rows())}
`

import { errorKinds } from '../../cluster/errors.ts'
import { madeFrom, markdownTable } from './markdown.ts'

const rows = (): readonly (readonly string[])[] => {
  const kinds = Object.entries(errorKinds).map(([name, { exit, meaning, remedy }]) => ({
    exit,
    cells: [String(exit), `\`${name}\``, meaning, remedy],
  }))
  return kinds.toSorted((a, b) => a.exit - b.exit).map(({ cells }) => cells)
}

export const exitCodesPage = (): string =>
  `${madeFrom('cluster/errors.ts')}
# Exit codes

A command that fails prints one line on stderr: what is wrong, then what to do. \`--verbose\` adds the stack.
The codes are stable: scripts may rely on them.

${markdownTable(['code', 'name', 'meaning', 'what to do'], [['0', '', 'it worked', ''], ...rows(), ['130', '', 'ended at once by a second Ctrl-C or SIGTERM', '']])}
`

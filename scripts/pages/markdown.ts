/** Said on every made page, so that nobody edits it by hand. */
export const madeFrom = (table: string): string =>
  `<!-- Made from ${table} by \`npm run generate\`: change it there. -->`

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

export const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

/** Printing: data goes to stdout (text for people, or JSON), what happens on the way to stderr. */
import { stripVTControlCharacters, styleText } from 'node:util'
import { Option } from 'commander'

export type Format = 'text' | 'json'

/** Every command that prints data has it. */
export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how the data is printed').choices(['text', 'json']).default('text')

export const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

/** One line on stderr, so that stdout stays data. */
export const note = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** Text is made only where it is printed. */
export const printData = (format: Format, data: unknown, text: () => string): void =>
  print(format === 'json' ? JSON.stringify(data, undefined, 2) : text())

type Style = Parameters<typeof styleText>[0]
/** Plain where stdout is no terminal, under NO_COLOR and under --no-color. */
export const styled = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout })

/** Columns as wide as their widest cell; a column of numbers stands to the right. Cells may be styled. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const plain = rows.map((row) => row.map(stripVTControlCharacters))
  const widths = head.map((title, column) =>
    Math.max(title.length, ...plain.map((row) => row[column]?.length ?? 0)),
  )
  const right = head.map(
    (_, column) => rows.length > 0 && plain.every((row) => /^[\d.,%-]*$/.test(row[column] ?? '')),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - stripVTControlCharacters(cell).length)
        return right[column] ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  return [styled('bold', line(head)), ...rows.map(line)].join('\n')
}

/** `12,345`. */
export const count = (value: number): string => value.toLocaleString('en-US')

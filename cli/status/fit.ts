/** Makes what others word fit a terminal: no line is longer than `WIDTH`. */
import { stripVTControlCharacters } from 'node:util'
import { printableText } from '../../cluster/printable.ts'
import { styled } from '../output.ts'

const WIDTH = 120
/** Of the cells that others word: as much as fits. */
const MOST = [64, 40, 32, 24, 16, 12] as const

/** The end of a name tells most: ids end in what makes them unique. */
export const tail = (text: string, most: number): string =>
  text.length <= most ? text : `...${text.slice(3 - most)}`
export const head = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 3)}...`

/** @param make takes how long the cells that others word may be */
export const fitted = (make: (most: number) => string): readonly string[] => {
  let lines: readonly string[] = []
  for (const most of MOST) {
    lines = make(most).split('\n')
    if (lines.every((line) => stripVTControlCharacters(line).length <= WIDTH)) break
  }
  return lines
}

/** Lines of whole words; the second and later are indented. */
const wrap = (text: string): readonly string[] => {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').map((one) => head(one, WIDTH - 2))) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = `  ${word}`
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

export const paragraph = (text: string, style?: 'red' | 'yellow' | 'bold'): readonly string[] =>
  wrap(printableText(text)).map((line) => (style === undefined ? line : styled(style, line)))

/** What `dev` says first: where things are, and what to try. Pure. */
import type { Names } from '../../cluster/protocol/names.ts'
import type { Settings } from '../../cluster/settings.ts'
import { styled } from '../output.ts'

export interface ScreenParts {
  readonly name: string
  /** As the user named it. */
  readonly path: string
  readonly names: Names
  readonly settings: Settings
  /** What another terminal must set first. */
  readonly env: string
  /** How a first record is sent. */
  readonly records: { readonly file: string } | { readonly sample: string }
  readonly seconds: number | undefined
}

const rows = (pairs: readonly (readonly [string, string])[]): readonly string[] => {
  const width = Math.max(...pairs.map(([left]) => left.length))
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

const linksOf = ({ names, settings }: ScreenParts): readonly (readonly [string, string])[] => [
  ['status', styled('underline', `http://127.0.0.1:${settings.httpPort}/api/status`)],
  ['input', names.input],
  ...(names.output === undefined ? [] : [['output', names.output] as const]),
  ['dead letters', names.deadLetters],
  ...(names.insights === undefined ? [] : [['insights', names.insights] as const]),
]

export const screen = (parts: ScreenParts): string => {
  const { name, path, names, env, records, seconds } = parts
  const millrace = `${env}npx millrace`
  const send =
    'file' in records
      ? `${millrace} send ${names.input} < ${records.file}`
      : `echo '${records.sample.replaceAll("'", `'\\''`)}' | ${millrace} send ${names.input}`
  return [
    `${styled('bold', name)} runs, from ${path}`,
    ...rows(linksOf(parts)),
    '',
    `${styled('bold', 'Try next')}, in another terminal of this folder; what becomes of each record stands here:`,
    ...rows([
      [send, 'send a record'],
      [`${millrace} insights ${path}`, 'see what is counted'],
      [`${millrace} audit ${path}`, 'count the fate of every record'],
    ]),
    `Edit ${path} and save it: it starts again by itself. ${seconds === undefined ? 'Ctrl-C ends it' : `It ends after ${seconds} s`}.`,
  ].join('\n')
}

/** Letters for people. */
import type { Action } from '../../letters/marks.ts'
import type { PreviewedValue } from '../../letters/preview.ts'
import { count, styled, table } from '../output.ts'
import type { GroupRow, Row, Shown } from './look.ts'

export const lettersText = (many: number): string => (many === 1 ? '1 letter' : `${count(many)} letters`)

const or = (text: string | number | null): string => (text === null || text === '' ? '-' : String(text))

export const listText = (
  rows: readonly Row[],
  counts: { readonly selected: number; readonly settled: number; readonly foreign: number },
): string => {
  const cells = rows.map((row) => [
    row.letter,
    row.failedAt,
    row.state,
    or(row.code),
    or(row.origin),
    or(row.key),
  ])
  const more = [
    lettersText(counts.selected),
    ...(counts.settled > 0 ? [`${count(counts.settled)} settled (--all shows them)`] : []),
    ...(counts.foreign > 0 ? [`${count(counts.foreign)} foreign, never sent`] : []),
  ].join(', ')
  if (rows.length === 0) return more
  return `${table(['letter', 'failed at', 'state', 'code', 'origin', 'key'], cells)}\n${more}`
}

export const valueText = (value: PreviewedValue): string => {
  if (value === null) return 'no value'
  if ('fields' in value) return JSON.stringify(value.fields)
  if ('shape' in value) return `${value.shape} (shape of ${count(value.bytes)} bytes; --raw shows them)`
  return `${value.text}\n${styled('dim', value.hex)}`
}

export const groupsText = (groups: readonly GroupRow[]): string => {
  if (groups.length === 0) return 'no open letters'
  const total = groups.reduce((sum, group) => sum + group.count, 0)
  const blocks = groups.map((group) =>
    [
      `${styled('bold', group.code)}: ${lettersText(group.count)}, ${group.first} to ${group.last}`,
      ...(group.message === '' ? [] : [`  ${group.message}`]),
      `  example  ${group.example.letter} ${valueText(group.example.value)}`,
      `  remedy   ${group.remedy}`,
    ].join('\n'),
  )
  const problems = groups.length === 1 ? '1 problem' : `${count(groups.length)} problems`
  return [...blocks, `${lettersText(total)}, ${problems}`].join('\n\n')
}

const stateText = ({ state, mark }: Shown): string =>
  mark === null ? state : `${state} by ${mark.who} at ${new Date(mark.at).toISOString()}`

export const showText = (shown: Shown): string => {
  const rows: readonly (readonly [string, string])[] = [
    ['letter', shown.letter],
    ['state', stateText(shown)],
    ['origin', or(shown.origin)],
    ['failed at', shown.failedAt],
    ['code', or(shown.code)],
    ['message', or(shown.message)],
    ['attempts', or(shown.attempts)],
    ['replays', or(shown.replays)],
    ['record', or(shown.body)],
    ['key', or(shown.key)],
    ...shown.headers.map(({ name, value }) => [`header ${name}`, value] as const),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const value = shown.value !== null && 'fields' in shown.value
  return [
    ...rows.map(([name, text]) => `${styled('dim', name.padEnd(width))}  ${text}`),
    value ? JSON.stringify(shown.value?.fields, undefined, 2) : valueText(shown.value),
  ].join('\n')
}

type ShownAction = Omit<Action, 'at'> & { readonly at: string }

export const actionsText = (actions: readonly ShownAction[]): string =>
  table(
    ['at', 'who', 'did', 'sent', 'parked', 'selected', 'ended', 'what'],
    actions.map((action) => [
      action.at,
      action.who,
      action.deed,
      count(action.sent),
      count(action.parked),
      action.ended ? count(action.selected) : '-',
      action.ended ? 'yes' : 'no',
      or(action.what),
    ]),
  )

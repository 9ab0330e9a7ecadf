/** What the `millrace dlq` commands have in common on the command line. */
import { hostname, userInfo } from 'node:os'
import { type Command, Option } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { type Origin, parseOrigin } from '../../cluster/protocol/headers.ts'
import type { Selection } from '../../letters/selection.ts'
import type { DeskOptions } from './desk.ts'

export interface SelectionOptions extends DeskOptions {
  readonly code: readonly string[]
  readonly field: readonly string[]
  readonly letter: readonly string[]
  readonly from?: string
  readonly to?: string
}

const collected = (text: string, before: readonly string[]): readonly string[] => [...before, text]

/** An option that may be repeated. */
export const repeated = (flags: string, text: string): Option =>
  new Option(flags, `${text}; may be repeated`).argParser(collected).default([], 'any')

export const withPipeline = (command: Command): Command =>
  command
    .argument('[pipeline]', 'shipped name or path (default: the setting MILLRACE_PIPELINE)')
    .option('--as <name>', 'the name under which it was run')

export const withSelection = (command: Command): Command =>
  withPipeline(command)
    .addOption(repeated('--code <code>', 'only letters with that error code'))
    .addOption(repeated('--field <name>', 'only letters in which that field did not fit the schema'))
    .addOption(
      repeated('--letter <place>', 'only that letter: topic/partition/offset of it or of its origin'),
    )
    .option('--from <time>', 'only letters that failed then or later, such as 2026-03-01T12:00Z')
    .option('--to <time>', 'only letters that failed before')

export const selectionOf = ({ code, field, letter, from, to }: SelectionOptions): Selection => ({
  codes: code,
  fields: field,
  places: letter.map(placeOf),
  ...(from !== undefined && { from: timeOf('--from', from) }),
  ...(to !== undefined && { to: timeOf('--to', to) }),
})

/** @throws MillraceError `usage` */
export const placeOf = (text: string): Origin => {
  const place = parseOrigin(text)
  if (place === undefined)
    throw new MillraceError('usage', `${JSON.stringify(text)} names no letter`, {
      remedy: 'give topic/partition/offset, as `millrace dlq list` shows it',
    })
  return place
}

const timeOf = (option: string, text: string): number => {
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw new MillraceError('usage', `${option} is ${JSON.stringify(text)}`, {
      remedy: 'give a time such as 2026-03-01T12:00Z',
    })
  return time
}

/** `user@host`, for the line that each action leaves. */
export const whoIs = (given: string | undefined): string => given ?? `${userName()}@${hostname()}`

const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    // A container may run under a user id that has no name.
    return String(process.getuid?.() ?? 'unknown')
  }
}

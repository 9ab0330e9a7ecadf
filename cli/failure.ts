/** What a person sees of an error: one line, and the exit code of the table in cluster/errors.ts. */

import { CommanderError } from 'commander'
import { MillraceError, messageOf } from '../cluster/errors.ts'
import { isLost } from '../cluster/kafka/failures.ts'
import { printableText } from '../cluster/printable.ts'

export interface Failure {
  /** Empty where there is nothing to add (help, version). */
  readonly line: string
  readonly exitCode: number
}

const oneLine = (text: string): string => printableText(text.replace(/\s*[\r\n]\s*/g, ' ').trim())
const lineOf = (error: MillraceError): string => oneLine(`millrace: ${error.message}; ${error.remedy}`)

export const failureOf = (error: unknown): Failure => {
  if (error instanceof CommanderError) return usageFailure(error)
  const known = error instanceof MillraceError ? error : isLost(error) ? lost(error) : unforeseen(error)
  return { line: lineOf(known), exitCode: known.exitCode }
}

/** Some call met a broker that went in that moment. */
const lost = (error: unknown): MillraceError =>
  new MillraceError('kafka-unreachable', `Kafka did not answer: ${messageOf(error)}`, { cause: error })

const unforeseen = (error: unknown): MillraceError =>
  new MillraceError('internal', error instanceof Error ? `${error.name}: ${error.message}` : String(error), {
    cause: error,
  })

const asked = ['commander.helpDisplayed', 'commander.version']

const usageFailure = (error: CommanderError): Failure => {
  if (asked.includes(error.code)) return { line: '', exitCode: 0 }
  const usage = new MillraceError('usage', oneLine(error.message.replace(/^error: /, '')))
  /** A command without its arguments has shown its help already. */
  return { line: error.code === 'commander.help' ? '' : lineOf(usage), exitCode: usage.exitCode }
}

/** For --verbose: the error with all its causes. */
export const stackOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const below = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${below}`
}

/** Arguments and options that orders have in common. */
import { type Command, InvalidArgumentError } from 'commander'
import { duration, wholeNumber } from '../arguments.ts'

export interface OrderOptions {
  readonly pipeline?: string
  /** ms */
  readonly wait: number
}

export const WORKER = 'its id as `millrace status` shows it, or what it begins or its last part begins with'

export const withOrderOptions = (command: Command, wait = '30s'): Command =>
  command
    .option('--pipeline <name>', 'shipped name or path (default: the setting MILLRACE_PIPELINE)')
    .option(
      '--wait <duration>',
      'how long until it is so, such as 10s; the order stands in any case',
      duration,
      duration(wait),
    )

/** A partition's number; more than Kafka has is none. */
export const partition = (text: string): number => {
  const number = wholeNumber(text)
  if (number >= 2 ** 31) throw new InvalidArgumentError('Expected the number of a partition.')
  return number
}

/** Collected, each once. */
export const partitions = (text: string, before: readonly number[] = []): readonly number[] => [
  ...new Set([...before, partition(text)]),
]

/** A call of millrace as a page shows it, parsed as commander would. */
import type { Command } from 'commander'
import { entries } from '../../cli/commands.ts'

/** @throws where commander would refuse it */
export const parse = async (words: readonly string[]): Promise<void> => {
  const [name, ...rest] = words
  const entry = entries.find((one) => one.name === name)
  if (entry === undefined) throw new Error(`no command ${name}`)
  let command: Command = (await entry.load()).exitOverride()
  let left = rest
  while (command.commands.length > 0 && left[0] !== undefined && !left[0].startsWith('-')) {
    const sub = command.commands.find((one) => one.name() === left[0])
    if (sub === undefined) throw new Error(`${command.name()} has no command ${left[0]}`)
    command = sub.exitOverride()
    left = left.slice(1)
  }
  const { operands, unknown } = command.configureOutput({ writeErr: () => undefined }).parseOptions([...left])
  if (unknown.some((word) => word !== '--help'))
    throw new Error(`${command.name()} knows no ${unknown.join(' ')}`)
  if (operands.length > command.registeredArguments.length)
    throw new Error(`too many words: ${operands.join(' ')}`)
  const needed = command.registeredArguments.filter(({ required }) => required).length
  if (operands.length < needed && !unknown.includes('--help'))
    throw new Error(`${command.name()} needs more words`)
}

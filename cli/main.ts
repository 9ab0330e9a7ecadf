/**
 * The program `millrace`. Law: whatever happens ends as data on stdout, or as one line on stderr with what to do,
 * and an exit code from docs/exit-codes.md.
 */
import { Command } from 'commander'
import { VERSION } from '../cluster/protocol/version.ts'
import { entries } from './commands.ts'
import { failureOf, stackOf } from './failure.ts'
import { note } from './output.ts'

/** @returns the exit code; the caller ends the process, so that what is printed gets out */
export const main = async (argv: readonly string[]): Promise<number> => {
  endQuietlyOnClosedPipe()
  hideTimerWarning()
  if (argv.includes('--no-color')) refuseColor()
  try {
    const program = await programFor(argv)
    await program.parseAsync([...argv], { from: 'user' })
    return 0
  } catch (error) {
    const failure = failureOf(error)
    if (failure.line !== '') note(failure.line)
    if (failure.line !== '' && argv.includes('--verbose')) note(stackOf(error))
    return failure.exitCode
  }
}

/** Only the called command is loaded; the others stand in the help with their summary. */
const programFor = async (argv: readonly string[]): Promise<Command> => {
  const program = new Command('millrace')
    .description('Exactly-once stream processing on Node')
    .version(VERSION, '-V, --version')
    .option('--verbose', 'print the stack of an error, with its causes')
    .option('--no-color', 'print without colors (as NO_COLOR does)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
  const called = calledCommand(argv)
  for (const { name, summary, load } of entries) {
    const command = name === called ? await load() : new Command(name)
    program.addCommand(command.summary(summary))
    if (command.description() === '') command.description(summary)
    inherit(command, program)
  }
  return program
}

/** Global options take no value, so the first plain word is the command. */
const calledCommand = (argv: readonly string[]): string | undefined => {
  const words = argv.filter((word) => !word.startsWith('-'))
  return words[0] === 'help' ? words[1] : words[0]
}

const inherit = (command: Command, parent: Command): void => {
  command.copyInheritedSettings(parent)
  for (const child of command.commands) inherit(child, command)
}

const refuseColor = (): void => {
  process.env.NO_COLOR = '1'
  delete process.env.FORCE_COLOR
}

/** `millrace tail ... | head -1` is no fault. */
const endQuietlyOnClosedPipe = (): void => {
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

/** kafkajs re-arms a timer with a negative delay (its issue 1751): harmless, and nothing an operator could mend. */
const hideTimerWarning = (): void => {
  const emit = process.emitWarning
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (rest[0] !== 'TimeoutNegativeWarning') Reflect.apply(emit, process, [warning, ...rest])
  }
}

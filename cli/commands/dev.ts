import { Command } from 'commander'
import { positiveNumber } from '../arguments.ts'
import { type DevOptions, dev } from '../dev/dev.ts'
import { refuseFailures } from '../inject.ts'
import { untilInterrupted } from '../interrupt.ts'

export const devCommand = (): Command =>
  new Command('dev')
    .description(
      'Run a pipeline while you write it: services, a coordinator and a worker; what becomes of each record; a new start at each save.',
    )
    .argument('<pipeline>', "the path of your module, or a shipped pipeline's name")
    .option('--seconds <n>', 'end after so many seconds (default: at Ctrl-C)', positiveNumber)
    .option('--keep', 'go on with the data of the last time, and leave it (default: start afresh)')
    .option('--yes', 'install missing system packages without asking')
    .action(run)

const run = async (path: string, options: DevOptions): Promise<void> => {
  refuseFailures()
  using interrupted = untilInterrupted()
  await dev(path, options, interrupted.signal)
}

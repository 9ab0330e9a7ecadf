/** `millrace demo`: everything on this machine, on real input. */
import { Command } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { rate, share, wholeNumber } from '../arguments.ts'
import { type DemoOptions, runDemo } from '../demo/run-demo.ts'
import { DEMO_FAILURES, madeUp } from '../inject.ts'
import { untilInterrupted } from '../interrupt.ts'
import { print } from '../output.ts'

export const demoCommand = (): Command =>
  new Command('demo')
    .description(
      'Run services, a coordinator, two worker processes and a generator; Ctrl-C drains, audits and sums up.',
    )
    .option('--pipeline <name>', 'shipped name or path (default: MILLRACE_PIPELINE)')
    .option(
      '--count <n>',
      'end by itself when so many records are processed (default: run until Ctrl-C)',
      wholeNumber,
    )
    .option('--rate <n>', 'records a second; 0: as fast as Kafka takes them', rate, 500)
    .option('--seed <n>', 'the same seed gives the same records (default: a random one)', wholeNumber)
    .option('--missing <share>', 'share without device_type', share, 0.05)
    .option('--corrupt <share>', 'share that can never be processed', share, 0.01)
    .option('--echo', 'print a line per record in and out')
    .option('--keep', 'go on with the data of the last demo (default: start afresh)')
    .option('--two-clusters', 'input on one Kafka cluster, all else on another (default: for login-defaults)')
    .option('--no-two-clusters', 'one Kafka cluster for all')
    .option(
      '--inject <shares>',
      'made-up failures, such as retry=0.02,dead=0.01,slow=0.001; none with retry=0',
      madeUp,
      DEMO_FAILURES,
    )
    .option('--yes', 'install missing system packages without asking')
    .option('--json', 'print the summary as one JSON line, the last')
    .action(demo)

const demo = async ({ json, ...options }: DemoOptions & { readonly json?: boolean }): Promise<void> => {
  using interrupted = untilInterrupted()
  const { summary, lines } = await runDemo(options, interrupted.signal)
  if (json) print(JSON.stringify(summary))
  else for (const line of lines) print(line)
  if (!summary.audit.ok) {
    const { lost, double, mismatch } = summary.audit
    throw new MillraceError(
      'audit-failed',
      `the audit found ${lost} lost, ${double} doubled, ${mismatch} mismatched`,
      { remedy: 'run the demo again with --keep and, while it runs, `millrace audit`: it names the offsets' },
    )
  }
}

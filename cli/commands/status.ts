/** `millrace status`: who leads, the plans, workers and partitions. */
import { Command } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { connectedSettings } from '../connect.ts'
import { untilInterrupted } from '../interrupt.ts'
import { type Format, note, outputOption, print } from '../output.ts'
import { only } from '../status/filter.ts'
import { openEye } from '../status/look.ts'
import { type ClusterStatus, statusOf } from '../status/status.ts'
import { statusText } from '../status/text.ts'
import { CLEAR } from '../terminal.ts'

interface Options {
  readonly watch?: boolean
  readonly output: Format
}

const REFRESH = 1000

export const statusCommand = (): Command =>
  new Command('status')
    .description(
      'Show who leads, the plan of each pipeline, its workers, and each partition: owner, state, position, lag, speed, last commit.',
    )
    .argument('[pipeline]', 'name in the cluster, shipped name or path (default: all)')
    .option('--watch', 'show it again every second, until Ctrl-C')
    .addOption(outputOption())
    .action(run)

const run = async (named: string | undefined, options: Options): Promise<void> => {
  using interrupted = untilInterrupted()
  const { signal } = interrupted
  const settings = await connectedSettings(['home'], { pipeline: named, anyDemo: true })
  await using eye = await openEye(settings, signal)
  const look = async () => show(await only(statusOf(await eye.look()), named), options)
  await look()
  if (!options.watch) return
  for (await pause(REFRESH, signal); !signal.aborted; await pause(REFRESH, signal)) await look().catch(told)
}

/** Kafka may be away for a while, and whoever watches wants to see it come back. */
const told = (error: unknown): void => {
  if (!(error instanceof MillraceError)) throw error
  note(`${error.message}; it is looked at again`)
}

const show = (status: ClusterStatus, options: Options): void => {
  if (options.output === 'json') print(JSON.stringify(status, undefined, options.watch ? 0 : 2))
  else print(clear(options) + statusText(status))
}

const clear = ({ watch }: Options): string => (watch && process.stdout.isTTY ? CLEAR : '')

import { Command, Option } from 'commander'
import type { Which } from '../../cluster/kafka/client.ts'
import { wholeNumber } from '../arguments.ts'
import { connectedSettings } from '../connect.ts'
import { untilInterrupted } from '../interrupt.ts'
import { type Format, outputOption, print } from '../output.ts'
import { recordJson, recordLine } from '../record-text.ts'
import { parseStartPoint, tail } from '../tail.ts'

interface Options {
  readonly from?: string
  readonly number?: number
  readonly follow: boolean
  readonly cluster: Which
  readonly output: Format
}

export const tailCommand = (): Command =>
  new Command('tail')
    .description('Print committed records of a topic as they come.')
    .argument('<topic>')
    .option(
      '--from <point>',
      'beginning, end, an offset, or a time such as 2026-03-01T12:00Z (default: end; with -n: beginning)',
    )
    .option('-n, --number <count>', 'end after so many records', wholeNumber)
    .option('--no-follow', 'end where the topic ends, instead of waiting for more')
    .addOption(
      new Option('--cluster <which>', 'cluster of the input, or of outputs and state')
        .choices(['input', 'home'])
        .default('home'),
    )
    .addOption(outputOption())
    .action(tailTopic)

const tailTopic = async (topic: string, options: Options): Promise<void> => {
  const from = parseStartPoint(options.from ?? (options.number === undefined ? 'end' : 'beginning'))
  const settings = await connectedSettings([options.cluster], { anyDemo: true })
  const most = options.number ?? Number.POSITIVE_INFINITY
  using interrupted = untilInterrupted()
  const { signal } = interrupted
  await tail(
    settings,
    { topic, which: options.cluster },
    { from, most, follow: options.follow, signal },
    (record) => print(options.output === 'json' ? recordJson(topic, record) : recordLine(record)),
  )
}

/** `millrace sink opensearch`: committed records of an output topic as documents of an index. */
import { Command, InvalidArgumentError } from 'commander'
import { EventBus } from '../../cluster/events.ts'
import { wholeNumber } from '../arguments.ts'
import { connectedSettings } from '../connect.ts'
import { untilInterrupted } from '../interrupt.ts'
import { logEvents } from '../log.ts'
import { count, type Format, note, outputOption, print } from '../output.ts'
import { type SinkSummary, type SinkWishes, sinkIntoOpenSearch } from '../sink.ts'

const INDEX = 'processed-user-login-index'

interface Options extends SinkWishes {
  readonly output: Format
}

const aboveZero = (text: string): number => {
  const value = wholeNumber(text)
  if (value === 0) throw new InvalidArgumentError('Expected a whole number above 0.')
  return value
}

export const sinkCommand = (): Command =>
  new Command('sink')
    .description('Write committed records of an output topic into a store, each once.')
    .addCommand(openSearchCommand())

const openSearchCommand = (): Command =>
  new Command('opensearch')
    .description('Into an index of OpenSearch: one document a record, under the id topic-partition-offset.')
    .option('--topic <name>', 'topic to read (default: the output of the pipeline in MILLRACE_PIPELINE)')
    .option('--index <name>', 'index to write', INDEX)
    .option('--shards <n>', 'primary shards of an index that is made', aboveZero, 1)
    .option('--replicas <n>', 'replicas of an index that is made', wholeNumber, 1)
    .option('--mapping <file>', 'JSON file with the mapping of the index (default: the fields of logins)')
    .option('--bulk-records <n>', 'most documents of one bulk', aboveZero, 5000)
    .option(
      '--bulk-bytes <n>',
      'most bytes of one bulk; a single larger document goes alone',
      aboveZero,
      5_000_000,
    )
    .option('--bulks <n>', 'bulks under way at once', aboveZero, 2)
    .option('--until-end', 'end where the topic ends now, instead of waiting for more', false)
    .addOption(outputOption())
    .action(run)

const run = async (options: Options): Promise<void> => {
  const settings = await connectedSettings(['home'])
  using interrupted = untilInterrupted()
  const events = new EventBus()
  logEvents(events, settings.logLevel, 'sink', note)
  const summary = await sinkIntoOpenSearch(settings, options, { events, signal: interrupted.signal })
  print(options.output === 'json' ? JSON.stringify(summary) : textOf(summary))
}

const textOf = ({ topic, index, indexed, rejected, lag }: SinkSummary): string =>
  `${topic} -> ${index}: ${count(indexed)} documents written, ${count(rejected)} rejected, lag ${count(lag)}`

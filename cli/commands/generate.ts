import { randomInt } from 'node:crypto'
import { Command, Option } from 'commander'
import { EventBus } from '../../cluster/events.ts'
import { positiveNumber, rate, share, wholeNumber } from '../arguments.ts'
import { connectedSettings } from '../connect.ts'
import { createGenerator, type Generated, type Keys } from '../generator.ts'
import { untilInterrupted } from '../interrupt.ts'
import { count, type Format, outputOption, printData } from '../output.ts'
import { namesFor } from '../pipeline.ts'
import { type Acks, acksOf, sendPaced, withProducer } from '../produce.ts'
import { ProgressPrinter } from '../progress.ts'
import { tracedSends } from '../send-tracing.ts'
import { startTelemetry } from '../telemetry.ts'

/** A record each half second. */
const CLASSIC_INTERVAL = 0.5
const MOST = 2000

interface Options {
  readonly count?: number
  readonly rate?: number
  readonly interval?: number
  readonly seed?: number
  readonly missing: number
  readonly corrupt: number
  readonly keys: Keys
  readonly topic?: string
  readonly acks: Acks
  readonly output: Format
}

export const generateCommand = (): Command =>
  new Command('generate')
    .description('Produce made-up user logins, until the count is reached or Ctrl-C.')
    .option('--count <n>', 'records in all (default: no end)', wholeNumber)
    .addOption(
      new Option('--rate <n>', 'records a second; 0: as fast as Kafka takes them')
        .argParser(rate)
        .conflicts('interval'),
    )
    .option(
      '--interval <seconds>',
      `pause between two records (default: ${CLASSIC_INTERVAL})`,
      positiveNumber,
    )
    .option('--seed <n>', 'the same seed gives the same records (default: a random one)', wholeNumber)
    .option('--missing <share>', 'share without device_type', share, 0.05)
    .option('--corrupt <share>', 'share that can never be processed', share, 0)
    .addOption(
      new Option('--keys <kind>', 'uniform: every key new; zipf: 10,000 keys, few of them frequent')
        .choices(['uniform', 'zipf'])
        .default('uniform'),
    )
    .option('--topic <name>', "topic to write to (default: the pipeline's input)")
    .addOption(
      new Option('--acks <who>', 'who confirms a record; `all` never writes one twice')
        .choices(Object.keys(acksOf))
        .default('all'),
    )
    .addOption(outputOption())
    .action(generate)

const generate = async (options: Options): Promise<void> => {
  const settings = await connectedSettings(['input'])
  const topic = options.topic ?? (await namesFor(settings)).input
  const seed = options.seed ?? randomInt(2 ** 31)
  const generator = createGenerator({ ...options, seed })
  const tally = { good: 0, missing: 0, corrupt: 0 }
  const next = (): Generated => {
    const record = generator.next()
    tally[record.kind]++
    return record
  }
  const pace = { rate: paceOf(options), count: options.count ?? Number.POSITIVE_INFINITY, most: MOST }
  const progress = new ProgressPrinter(`-> ${topic}`)
  using interrupted = untilInterrupted()
  const events = new EventBus()
  await using telemetry = await startTelemetry(
    settings,
    { role: 'tool', id: `generate-${process.pid}` },
    events,
  )
  telemetry.trace(topic)
  const { sent, elapsed } = await withProducer(
    settings,
    { topic, which: 'input', acks: options.acks },
    (producer) =>
      sendPaced(tracedSends(producer, telemetry, events), next, pace, {
        signal: interrupted.signal,
        sent: (done, elapsed) => progress.show({ done, total: pace.count, elapsed }),
      }),
  ).finally(() => progress.clear())
  const { missing, corrupt } = tally
  printSummary(options.output, { topic, produced: sent, missing, corrupt, seed, seconds: elapsed / 1000 })
}

const paceOf = ({ rate, interval }: Options): number => rate ?? 1 / (interval ?? CLASSIC_INTERVAL)

interface Summary {
  readonly topic: string
  readonly produced: number
  readonly missing: number
  readonly corrupt: number
  readonly seed: number
  readonly seconds: number
}

const printSummary = (format: Format, summary: Summary): void => {
  const { topic, produced, missing, corrupt, seed, seconds } = summary
  const perSecond = seconds > 0 ? Math.round(produced / seconds) : 0
  const rounded = Number(seconds.toFixed(3))
  printData(format, { ...summary, seconds: rounded, recordsPerSecond: perSecond }, () =>
    [
      `produced ${count(produced)} records to ${topic} in ${seconds.toFixed(1)} s (${count(perSecond)}/s)`,
      `${count(missing)} without device_type, ${count(corrupt)} corrupt; seed ${seed}`,
    ].join('\n'),
  )
}

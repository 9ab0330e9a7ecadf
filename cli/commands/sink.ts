/** `millrace sink opensearch`: committed records of an output topic as documents of an index. */
import { hostname } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { EventBus, type Events } from '../../cluster/events.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import type { Settings } from '../../cluster/settings.ts'
import { observeSink } from '../../telemetry/observing.ts'
import { wholeNumber } from '../arguments.ts'
import { connectedSettings } from '../connect.ts'
import { untilInterrupted } from '../interrupt.ts'
import { count, type Format, outputOption, print } from '../output.ts'
import { type SinkSummary, type SinkWishes, sinkIntoOpenSearch } from '../sink.ts'
import { announce, type Subject, startTelemetry, type Telemetry } from '../telemetry.ts'

export const INDEX = 'processed-user-login-index'

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
  const subject = { role: 'sink', id: `sink-${hostname()}-${process.pid}` } as const
  await using telemetry = await startTelemetry(settings, subject, events)
  const watched = await watchSink(settings, { telemetry, subject, events, index: options.index })
  const { signal } = interrupted
  const summary = await sinkIntoOpenSearch(settings, options, { events, signal }).finally(() =>
    watched[Symbol.asyncDispose](),
  )
  print(options.output === 'json' ? JSON.stringify(summary) : textOf(summary))
}

interface WatchedSink {
  readonly telemetry: Telemetry
  readonly subject: Subject
  readonly events: EventBus
  readonly index: string
}

/** A sink needs no Redis: without one, nobody finds its metrics by discovery. */
const REDIS_PATIENCE_MS = 1000

/** Its metrics and probes. */
const watchSink = async (
  settings: Settings,
  { telemetry, subject, events, index }: WatchedSink,
): Promise<AsyncDisposable> => {
  await using begun = new AsyncDisposableStack()
  let seen: Events['indexed'] = { index, indexed: 0, rejected: 0, heldBytes: 0, lag: 0 }
  events.on('indexed', (event) => {
    seen = event
  })
  if (telemetry.instruments !== undefined)
    observeSink(telemetry.instruments, {
      index,
      documents: () => seen.indexed,
      rejected: () => seen.rejected,
      heldBytes: () => seen.heldBytes,
      lag: () => seen.lag,
    })
  const fine = () => ({ ok: true, why: '' })
  const address = await telemetry.serve({ healthy: fine, ready: fine })
  if (settings.redisUrl === '') return begun.move()
  const redis = await connectRedis({ ...settings, startTimeout: REDIS_PATIENCE_MS }).catch(() => undefined)
  if (redis === undefined) telemetry.say(`no Redis: Prometheus does not find ${address} by itself`, 'warn')
  else {
    begun.adopt(redis, closeRedis)
    const place = { redis, keys: keysOf(settings.clusterId), leaseMs: settings.lease }
    begun.use(announce(place, subject, address))
  }
  return begun.move()
}

const textOf = ({ topic, index, indexed, rejected, lag }: SinkSummary): string =>
  `${topic} -> ${index}: ${count(indexed)} documents written, ${count(rejected)} rejected, lag ${count(lag)}`

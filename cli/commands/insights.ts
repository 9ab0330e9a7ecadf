import { Command } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { type ViewReader, viewReader, type WindowParts } from '../../cluster/redis/views-read.ts'
import { redisWorkers } from '../../cluster/redis/workers.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { duration, wholeNumber } from '../arguments.ts'
import { connectedSettings, redisEvents } from '../connect.ts'
import { type Flushed, flush, waitingIn } from '../flush.ts'
import { blocksOf, type CombinedWindow, combine, insightsJson } from '../insights.ts'
import { waitingText, windowText } from '../insights-text.ts'
import { untilInterrupted } from '../interrupt.ts'
import { type Format, note, outputOption, print } from '../output.ts'
import { pipelineFor } from '../pipeline.ts'
import { CLEAR } from '../terminal.ts'

const REFRESH = 1000

interface Options {
  readonly window: string
  readonly top: number
  readonly watch?: boolean
  readonly flush?: boolean
  readonly wait: number
  readonly output: Format
}

export const insightsCommand = (): Command =>
  new Command('insights')
    .description('Show the aggregates of a pipeline, over all slots.')
    .argument('[pipeline]', 'shipped name or path (default: the setting MILLRACE_PIPELINE)')
    .option('--window <which>', 'latest, all, or a time within the window', 'latest')
    .option('--top <n>', 'labels shown of each count', wholeNumber, 10)
    .option('--watch', 'show them again every second, until Ctrl-C')
    .option('--flush', 'first publish what waits in unfilled batches (insights by count)')
    .option('--wait <duration>', 'how long --flush waits for the slots, such as 30s', duration, 30_000)
    .addOption(outputOption())
    .action(insights)

const insights = async (named: string | undefined, options: Options): Promise<void> => {
  const wanted = selection(options.window)
  const services = options.flush ? (['home', 'redis'] as const) : (['redis'] as const)
  const settings = await connectedSettings(services, { pipeline: named })
  const pipeline = await pipelineFor(settings, named)
  if (options.flush) requireBatches(pipeline)
  using interrupted = untilInterrupted()
  const { signal } = interrupted
  const redis = await connectRedis(settings, { events: redisEvents(), signal })
  try {
    const keys = keysOf(settings.clusterId)
    const workers = redisWorkers(redis, keys)
    if (options.flush)
      tell(await flush(settings, pipeline.name, workers, { deadlineMs: options.wait, signal }))
    const reader = viewReader(redis, keys)
    for (;;) {
      const windows = combine(pipeline.aggregates ?? {}, await wanted(reader, pipeline.name))
      const waiting = pipeline.insights && waitingIn((await workers.read()).live, pipeline.name)
      show(pipeline, windows, waiting, options)
      if (!options.watch || signal.aborted) return
      await pause(REFRESH, signal)
      if (signal.aborted) return
    }
  } finally {
    closeRedis(redis)
  }
}

const requireBatches = ({ name, insights: batches }: AnyPipeline): void => {
  if (batches === undefined)
    throw new MillraceError('usage', `pipeline ${name} publishes no insights by count`, {
      remedy: 'leave --flush out',
    })
}

/** On stderr: the data is what is counted. */
const tell = ({ slots, done }: Flushed): void =>
  note(
    done
      ? `flushed: ${slots} ${slots === 1 ? 'slot has' : 'slots have'} published what waited`
      : 'no worker runs: each slot will publish what waits when one starts',
  )

type Selection = (reader: ViewReader, pipeline: string) => Promise<readonly WindowParts[]>

const selection = (which: string): Selection => {
  if (which === 'latest') return (reader, pipeline) => reader.latest(pipeline)
  if (which === 'all') return (reader, pipeline) => reader.parts(pipeline)
  const time = Date.parse(which)
  if (Number.isNaN(time))
    throw new MillraceError('usage', `--window is ${JSON.stringify(which)}`, {
      remedy: 'give latest, all, or a time such as 2026-03-01T12:00Z',
    })
  return async (reader, pipeline) => {
    const windows = await reader.parts(pipeline, { to: time + 1 })
    return windows.filter(({ size, start }) => size === 'total' || start + Number(size) > time)
  }
}

const show = (
  pipeline: AnyPipeline,
  windows: readonly CombinedWindow[],
  waiting: number | undefined,
  options: Options,
): void => {
  const { aggregates = {} } = pipeline
  if (options.output === 'json') {
    const data = insightsJson(aggregates, windows, waiting)
    print(options.watch ? JSON.stringify(data) : JSON.stringify(data, undefined, 2))
    return
  }
  const texts = windows.map((window) => windowText(window, blocksOf(aggregates, window, options.top)))
  if (waiting !== undefined) texts.push(waitingText(waiting))
  const clear = options.watch && process.stdout.isTTY ? CLEAR : ''
  print(clear + (texts.length === 0 ? 'nothing is counted yet' : texts.join('\n\n')))
}

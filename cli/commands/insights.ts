import { Command } from 'commander'
import { MillraceError } from '../../cluster/errors.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { type ViewReader, viewReader, type WindowParts } from '../../cluster/redis/views-read.ts'
import type { Aggregates } from '../../pipelines/api/aggregates.ts'
import { wholeNumber } from '../arguments.ts'
import { connectedSettings, redisEvents } from '../connect.ts'
import { blocksOf, type CombinedWindow, combine, insightJson } from '../insights.ts'
import { windowText } from '../insights-text.ts'
import { untilInterrupted } from '../interrupt.ts'
import { type Format, outputOption, print } from '../output.ts'
import { pipelineFor } from '../pipeline.ts'

const REFRESH = 1000
/** Clears the screen, cursor to the top. */
const CLEAR = '\x1b[2J\x1b[H'

interface Options {
  readonly window: string
  readonly top: number
  readonly watch?: boolean
  readonly output: Format
}

export const insightsCommand = (): Command =>
  new Command('insights')
    .description('Show the aggregates of a pipeline, over all slots.')
    .argument('[pipeline]', 'shipped name or path (default: the setting MILLRACE_PIPELINE)')
    .option('--window <which>', 'latest, all, or a time within the window', 'latest')
    .option('--top <n>', 'labels shown of each count', wholeNumber, 10)
    .option('--watch', 'show them again every second, until Ctrl-C')
    .addOption(outputOption())
    .action(insights)

const insights = async (named: string | undefined, options: Options): Promise<void> => {
  const wanted = selection(options.window)
  const settings = await connectedSettings(['redis'])
  const pipeline = await pipelineFor(settings, named)
  const aggregates = pipeline.aggregates ?? {}
  using interrupted = untilInterrupted()
  const redis = await connectRedis(settings, { events: redisEvents(), signal: interrupted.signal })
  try {
    const reader = viewReader(redis, keysOf(settings.clusterId))
    for (;;) {
      const windows = combine(aggregates, await wanted(reader, pipeline.name))
      show(aggregates, windows, options)
      if (!options.watch || interrupted.signal.aborted) return
      await pause(REFRESH, interrupted.signal)
      if (interrupted.signal.aborted) return
    }
  } finally {
    closeRedis(redis)
  }
}

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

const show = (aggregates: Aggregates, windows: readonly CombinedWindow[], options: Options): void => {
  if (options.output === 'json') {
    const data = windows.map((window) => insightJson(aggregates, window))
    print(options.watch ? JSON.stringify(data) : JSON.stringify(data, undefined, 2))
    return
  }
  const texts = windows.map((window) => windowText(window, blocksOf(aggregates, window, options.top)))
  const clear = options.watch && process.stdout.isTTY ? CLEAR : ''
  print(clear + (texts.length === 0 ? 'nothing is counted yet' : texts.join('\n\n')))
}

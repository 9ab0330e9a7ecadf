import { Command } from 'commander'
import { verdictLine } from '../../audit/report.ts'
import { MillraceError } from '../../cluster/errors.ts'
import { namesOf } from '../../cluster/protocol/names.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { aclsFor } from '../acls/own.ts'
import { requireAcls } from '../acls/preflight.ts'
import { duration } from '../arguments.ts'
import { auditPipeline } from '../audit.ts'
import { auditText } from '../audit-text.ts'
import { connectedSettings, redisEvents, waiting } from '../connect.ts'
import { renamed } from '../host.ts'
import { untilInterrupted } from '../interrupt.ts'
import { type Format, outputOption, printData } from '../output.ts'
import { pipelineFor } from '../pipeline.ts'
import { ProgressPrinter } from '../progress.ts'

interface Options {
  readonly as?: string
  readonly redis: boolean
  readonly wait?: number
  readonly output: Format
}

export const auditCommand = (): Command =>
  new Command('audit')
    .description(
      'Read the topics of a pipeline from outside: has each input record exactly one fate, and are the aggregates what the outputs add up to?',
    )
    .argument('[pipeline]', 'shipped name or path (default: the setting MILLRACE_PIPELINE)')
    .option('--as <name>', 'the name under which it was run')
    .option('--no-redis', 'leave the views in Redis out')
    .option(
      '--wait <duration>',
      'how long Redis may lag behind an idle pipeline, such as 500ms or 1m (default: 10s)',
      duration,
    )
    .addOption(outputOption())
    .action(run)

const run = async (named: string | undefined, options: Options): Promise<void> => {
  const wanted = options.redis ? (['input', 'home', 'redis'] as const) : (['input', 'home'] as const)
  const settings = await connectedSettings(wanted, { pipeline: named })
  const pipeline = await pipelineFor(settings, named)
  const name = options.as ?? pipeline.name
  const topics = options.as === undefined ? pipeline.topics : renamed(pipeline.topics, options.as)
  const names = namesOf(name, topics, settings.topicPrefix)
  // Without the settings of topics it goes on, and says what it cannot prove.
  const acls = aclsFor(settings, pipeline, options, ['audit'])
  await requireAcls(
    settings,
    acls.filter(({ operation }) => operation === 'Read'),
  )
  using interrupted = untilInterrupted()
  const { signal } = interrupted
  const redis = options.redis ? await connectRedis(settings, { events: redisEvents(), signal }) : undefined
  const progress = new ProgressPrinter('audit')
  const started = performance.now()
  const report = await auditPipeline(settings, pipeline, names, redis, {
    name,
    wait: options.wait,
    signal,
    progress: (done, total) => progress.show({ done, total, elapsed: performance.now() - started }),
    waiting: (what) => waiting(what, 'outputs behind it are not visible yet'),
  }).finally(() => {
    progress.clear()
    if (redis !== undefined) closeRedis(redis)
  })
  printData(options.output, report, () => auditText(report))
  if (!report.ok) throw new MillraceError('audit-failed', verdictLine(report))
}

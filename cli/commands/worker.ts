/** `millrace worker`: a supervisor and its worker processes. */
import { Command } from 'commander'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import type { Settings } from '../../cluster/settings.ts'
import { aclsFor } from '../acls/own.ts'
import { requireAcls } from '../acls/preflight.ts'
import { wholeNumber } from '../arguments.ts'
import { connectedSettings } from '../connect.ts'
import { requireHomeFirst } from '../home.ts'
import { refuseFailures } from '../inject.ts'
import { windowsOf } from '../insights.ts'
import { untilInterrupted } from '../interrupt.ts'
import { note } from '../output.ts'
import { pipelineFor } from '../pipeline.ts'
import { superviseWorkers } from '../supervise-workers.ts'
import { logSink } from '../telemetry.ts'
import { totalLines } from '../totals.ts'

interface Options {
  readonly processes?: number
}

export const workerCommand = (): Command =>
  new Command('worker')
    .description('Run worker processes of the pipeline in MILLRACE_PIPELINE under their supervisor.')
    .option('--processes <n>', 'worker processes (default: MILLRACE_PROCESSES)', wholeNumber)
    .action(run)

const PATIENCE_MS = 1000

const run = async ({ processes }: Options): Promise<void> => {
  refuseFailures()
  const settings = await connectedSettings(['input', 'home', 'redis'])
  await requireAcls(settings, aclsFor(settings, await pipelineFor(settings), {}, ['worker']))
  await requireHomeFirst(settings)
  using interrupted = untilInterrupted()
  const write = logSink(settings, 'supervisor')
  const say = (text: string) => write({ level: 'info', event: 'told', text })
  const supervisor = superviseWorkers(settings, {
    processes: processes ?? settings.processes,
    env: process.env,
    say,
    onReady: (index, pid) => say(`worker process ${index + 1} runs, pid ${pid}`),
  })
  interrupted.signal.addEventListener('abort', () => void supervisor.stop(), { once: true })
  await supervisor.stopped
  await noteTotals(settings)
}

/** On stderr, once the drain is done; of all workers of the pipeline. Redis away is no reason to stay. */
const noteTotals = async (settings: Settings): Promise<void> => {
  const pipeline = await pipelineFor(settings)
  if (pipeline.aggregates === undefined) return
  const redis = await connectRedis({ ...settings, startTimeout: PATIENCE_MS }).catch(() => undefined)
  if (redis === undefined) return note('Redis is away: `millrace insights` shows the totals when it is back')
  try {
    const windows = await windowsOf(redis, settings, pipeline).catch(() => [])
    const lines = totalLines(pipeline.aggregates, windows)
    for (const line of lines.length === 0 ? [] : [`${pipeline.name}, all workers:`, ...lines]) note(line)
  } finally {
    closeRedis(redis)
  }
}

/** `millrace run`: one pipeline in this process, without a coordinator; to process again, under another name. */
import { hostname } from 'node:os'
import { Command } from 'commander'
import { type ErrorCode, errorKinds, MillraceError } from '../../cluster/errors.ts'
import { EventBus } from '../../cluster/events.ts'
import { PROTOCOL } from '../../cluster/protocol/negotiation.ts'
import type { WorkerReport } from '../../cluster/protocol/plan.ts'
import type { Membership } from '../../workers/membership.ts'
import { SOLO_EPOCH } from '../../workers/slot.ts'
import { aclsFor } from '../acls/own.ts'
import { requireAcls } from '../acls/preflight.ts'
import { connectedSettings } from '../connect.ts'
import { type Host, hostWorker } from '../host.ts'
import { refuseFailures } from '../inject.ts'
import { type CombinedWindow, windowsOf } from '../insights.ts'
import { untilInterrupted } from '../interrupt.ts'
import { count, type Format, outputOption, printData } from '../output.ts'
import { pipelineFor } from '../pipeline.ts'
import { ProgressPrinter } from '../progress.ts'
import { register } from '../register.ts'
import { parseStartPoint } from '../tail.ts'
import { startTelemetry } from '../telemetry.ts'
import { shownAggregates, totalLines } from '../totals.ts'
import { watchWorker } from '../worker-telemetry.ts'

interface Options {
  readonly as?: string
  readonly from?: string
  readonly to?: string
  readonly output: Format
}

export const runCommand = (): Command =>
  new Command('run')
    .description(
      'Run a pipeline in this process. An in-place rewind does not exist: to process again, name it anew with --as; its outputs then go to topics of that name.',
    )
    .argument('[pipeline]', 'a shipped name or the path of a module (default: MILLRACE_PIPELINE)')
    .option('--as <name>', 'run under this name: own state, own output topics `<topic>-<name>`')
    .option('--from <point>', 'beginning, end, an offset, or a time such as 2026-03-01T12:00Z; needs --as')
    .option('--to <point>', 'stop there (exclusive); `end` is where the input ends now')
    .addOption(outputOption())
    .action((pipeline: string | undefined, options: Options) => run(pipeline, options))

const run = async (pipeline: string | undefined, options: Options): Promise<void> => {
  if (options.from !== undefined && options.as === undefined)
    throw new MillraceError('usage', '--from needs --as: each input offset has one fate under one name', {
      remedy: 'add --as <name>',
    })
  refuseFailures()
  const settings = await connectedSettings(['input', 'home', 'redis'])
  const events = new EventBus()
  const worker = `run-${process.pid}`
  const named = pipeline ?? settings.pipeline
  const loaded = await pipelineFor(settings, named)
  await requireAcls(settings, aclsFor(settings, loaded, options, ['worker']))
  const subject = { role: 'worker', id: worker, pipeline: options.as ?? loaded.name } as const
  await using telemetry = await startTelemetry(settings, subject, events)
  using interrupted = untilInterrupted()
  const host = await hostWorker(settings, {
    pipeline: named,
    worker,
    env: process.env,
    events,
    sampling: telemetry.sampling,
    ...(options.as !== undefined && { as: options.as }),
    ...(options.from !== undefined && { from: parseStartPoint(options.from) }),
    ...(options.to !== undefined && { to: parseStartPoint(options.to) }),
  })
  let applied: number | undefined
  const watched = await watchWorker({
    settings,
    telemetry,
    host,
    subject,
    appliedEpoch: () => applied,
    restarts: 0,
    index: 0,
  })
  const started = performance.now()
  let membership: Membership | undefined
  let windows: readonly CombinedWindow[] = []
  try {
    membership = await register(host, { events, leaseMs: settings.lease, report: () => soloReport(host) })
    await host.worker.apply(
      SOLO_EPOCH,
      Array.from({ length: host.slots }, (_, slot) => slot),
    )
    applied = SOLO_EPOCH
    await ended(host, events, interrupted.signal)
  } finally {
    await host.worker.stop()
    // Redis away: `millrace insights` shows them when it is back.
    windows = await windowsOf(host.redis, settings, host.pipeline, host.name).catch(() => [])
    await membership?.stop()
    await watched[Symbol.asyncDispose]()
    await host.close()
  }
  printSummary(host, windows, options.output, (performance.now() - started) / 1000)
}

/** Nobody assigns slots to it, but others see what it writes. */
const soloReport = (host: Host): WorkerReport => ({
  ...host.writer,
  version: PROTOCOL.oldest,
  speaks: PROTOCOL.newest,
  slots: host.slots,
  host: hostname(),
  pid: process.pid,
  appliedEpoch: SOLO_EPOCH,
  owned: host.worker.report(),
  draining: false,
  solo: true,
})

/** Resolves when every partition stands at its end and nothing is parked, or at an interrupt; rejects when the worker fails or a slot halts. */
const ended = async (host: Host, events: EventBus, signal: AbortSignal): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const progress = new ProgressPrinter(`${host.name}`)
  const started = performance.now()
  const look = () => {
    const { done, total } = progressOf(host)
    progress.show({ done, total, elapsed: performance.now() - started })
    if (host.to !== undefined && done >= total && parkedOf(host) === 0) resolve()
  }
  host.worker.failed.catch(reject)
  events.on('halted', ({ slot, code, detail }) => {
    const known = Object.hasOwn(errorKinds, code) ? (code as ErrorCode) : 'internal'
    reject(new MillraceError(known, `slot ${slot} halted: ${detail}`))
  })
  events.on('fenced', ({ slot }) =>
    reject(
      new MillraceError(
        'topic-mismatch',
        `slot ${slot} was fenced: the pipeline runs elsewhere under the same name`,
        { remedy: 'stop the other, or give this run a name with --as' },
      ),
    ),
  )
  events.on('committed', look)
  events.on('claimed', look)
  signal.addEventListener('abort', () => resolve())
  await promise.finally(() => progress.clear())
}

/** Records that wait for another run. */
const parkedOf = ({ worker }: Host): number =>
  [...worker.positions().values()].reduce((sum, { counters }) => sum + counters.parked, 0)

/** Offsets gone through, of those this run is to go through. */
const progressOf = ({ worker, to, slots }: Host): { readonly done: number; readonly total: number } => {
  const positions = worker.positions()
  if (to === undefined || positions.size < to.size || slots === 0)
    return { done: 0, total: Number.POSITIVE_INFINITY }
  const sum = (pick: (partition: number, bound: number) => number) =>
    [...to].reduce((total, [partition, bound]) => total + pick(partition, bound), 0)
  return {
    done: sum(
      (partition, bound) =>
        Math.min(positions.get(partition)?.next ?? 0, bound) - (positions.get(partition)?.first ?? 0),
    ),
    total: sum((partition, bound) => Math.max(bound - (positions.get(partition)?.first ?? 0), 0)),
  }
}

const printSummary = (
  host: Host,
  windows: readonly CombinedWindow[],
  format: Format,
  seconds: number,
): void => {
  const aggregates = host.pipeline.aggregates ?? {}
  const positions = [...host.worker.positions().values()]
  const sum = (pick: (counters: (typeof positions)[number]['counters']) => number) =>
    positions.reduce((total, { counters }) => total + pick(counters), 0)
  const summary = {
    name: host.name,
    done: sum((counters) => counters.done),
    dead: sum((counters) => counters.dead),
    dropped: sum((counters) => counters.dropped),
    late: sum((counters) => counters.late),
    aggregates: shownAggregates(aggregates, windows),
    seconds: Number(seconds.toFixed(3)),
  }
  const counts = `${host.name}: ${count(summary.done)} outputs, ${count(summary.dead)} dead letters, ${count(summary.dropped)} drops since its beginning; ${seconds.toFixed(1)} s`
  printData(format, summary, () => [counts, ...totalLines(aggregates, windows)].join('\n'))
}

/** A running demo: generator in, status line, drain to lag 0, audit, summary. */
import { randomInt } from 'node:crypto'
import type { Redis } from 'ioredis'
import { MillraceError } from '../../cluster/errors.ts'
import { pause } from '../../cluster/kafka/failures.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import type { Names } from '../../cluster/protocol/names.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { redisWorkers } from '../../cluster/redis/workers.ts'
import type { Settings } from '../../cluster/settings.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import { auditPipeline } from '../audit.ts'
import { createGenerator } from '../generator.ts'
import { connectTopology } from '../host.ts'
import { windowsOf } from '../insights.ts'
import { sendPaced, withProducer } from '../produce.ts'
import { tracedSends } from '../send-tracing.ts'
import { shownAggregates } from '../totals.ts'
import type { DemoCluster } from './cluster.ts'
import { echoIn, echoInsights, echoOut } from './echo.ts'
import type { DemoOptions, DemoResult } from './run-demo.ts'
import { type Produced, type Standing, standingOf, statusLine } from './status.ts'
import { StatusPrinter } from './status-printer.ts'
import { type Summary, summaryLines } from './summary.ts'

const LOOK_MS = 200
/** Without any progress for so long a drain is given up; the audit tells what is left. */
const STUCK_MS = 60_000
const MOST_IN_A_BATCH = 500

export class Demo {
  readonly #settings: Settings
  readonly #pipeline: AnyPipeline
  readonly #names: Names
  readonly #cluster: DemoCluster
  readonly #redis: Redis
  readonly #input: Topology
  readonly #printer = new StatusPrinter()
  #standing: Standing = standingOf([])
  #produced: Produced = { sent: 0, total: 0, elapsed: 0 }

  private constructor(parts: {
    settings: Settings
    pipeline: AnyPipeline
    names: Names
    cluster: DemoCluster
    redis: Redis
    input: Topology
  }) {
    this.#settings = parts.settings
    this.#pipeline = parts.pipeline
    this.#names = parts.names
    this.#cluster = parts.cluster
    this.#redis = parts.redis
    this.#input = parts.input
  }

  static async open(
    settings: Settings,
    pipeline: AnyPipeline,
    names: Names,
    cluster: DemoCluster,
  ): Promise<Demo> {
    const redis = await connectRedis(settings)
    const input = await connectTopology(settings, 'input')
    return new Demo({ settings, pipeline, names, cluster, redis, input })
  }

  async run(options: DemoOptions, signal: AbortSignal): Promise<DemoResult> {
    const started = performance.now()
    this.#produced = { sent: 0, total: options.count ?? Number.POSITIVE_INFINITY, elapsed: 0 }
    const done = new AbortController()
    const failed = this.#cluster.supervisor.stopped.then(() => {
      if (!done.signal.aborted) throw new MillraceError('restart-budget', 'the worker processes have ended')
    })
    if (options.echo) echoInsights(this.#cluster.events)
    const echoing = options.echo ? echoOut(this.#settings, this.#names, done.signal) : undefined
    const watching = this.#watch(done.signal)
    try {
      await Promise.race([this.#generate(options, signal), failed])
      await Promise.race([this.#drain(), failed])
    } finally {
      done.abort()
      await Promise.all([watching, echoing])
      this.#printer.clear()
    }
    return this.#conclude((performance.now() - started) / 1000)
  }

  async #generate(options: DemoOptions, signal: AbortSignal): Promise<void> {
    const generator = createGenerator({
      ...options,
      seed: options.seed ?? randomInt(2 ** 31),
      keys: 'uniform',
    })
    const next = () => {
      const record = generator.next()
      if (options.echo) echoIn(record)
      return record
    }
    const total = options.count ?? Number.POSITIVE_INFINITY
    const sent = (done: number, elapsed: number) => {
      this.#produced = { sent: done, total, elapsed }
    }
    const { telemetry, events } = this.#cluster
    telemetry.trace(this.#names.input)
    const pace = { rate: options.rate, count: total, most: MOST_IN_A_BATCH }
    await withProducer(
      this.#settings,
      { topic: this.#names.input, which: 'input', acks: 'all' },
      (producer) => sendPaced(tracedSends(producer, telemetry, events), next, pace, { signal, sent }),
    )
  }

  /** Workers report about once a second; Redis may be away for a while. */
  async #watch(signal: AbortSignal): Promise<void> {
    const workers = redisWorkers(this.#redis, keysOf(this.#settings.clusterId))
    while (!signal.aborted) {
      const roster = await workers.read().catch(() => undefined)
      if (roster !== undefined) this.#standing = standingOf(roster.live)
      this.#printer.show(statusLine(this.#standing, this.#produced, this.#cluster.supervisor.restarts()))
      await pause(LOOK_MS, signal)
    }
  }

  /** Until every position stands at the end of its partition, and nothing waits for another run. */
  async #drain(): Promise<void> {
    const partitions = [...(await this.#input.topic(this.#names.input)).partitions.keys()]
    const ends = await this.#input.ends(this.#names.input, partitions)
    let best = Number.NEGATIVE_INFINITY
    for (let moved = performance.now(); performance.now() - moved < STUCK_MS; ) {
      const { next, halted, parked } = this.#standing
      if (halted.length > 0)
        throw new MillraceError('internal', halted.join('; '), { remedy: 'see docs/guarantees.md' })
      const isRead = partitions.every(
        (partition) => (next.get(partition) ?? -1) >= (ends.get(partition) ?? 0),
      )
      if (isRead && parked === 0) return
      const sum = [...next.values()].reduce((total, one) => total + one, 0) - parked
      if (sum !== best) moved = performance.now()
      best = sum
      await pause(LOOK_MS)
    }
  }

  /** The workers are stopped before the audit: what they leave behind is all there is. */
  async #conclude(seconds: number): Promise<DemoResult> {
    await this.#cluster.stop()
    const report = await auditPipeline(this.#settings, this.#pipeline, this.#names, this.#redis)
    const aggregates = this.#pipeline.aggregates ?? {}
    const windows = await windowsOf(this.#redis, this.#settings, this.#pipeline)
    const { produced, outputs, dead, dropped, parked, late, ok, lost, double, mismatch } = report
    const summary: Summary = {
      produced,
      outputs,
      dead,
      dropped,
      parked,
      late,
      audit: { ok, lost, double, mismatch },
      aggregates: shownAggregates(aggregates, windows),
      seconds: Number(seconds.toFixed(3)),
    }
    return { summary, lines: summaryLines(summary, this.#pipeline, windows) }
  }

  async close(): Promise<void> {
    closeRedis(this.#redis)
    await this.#input.connections.close()
  }
}

/**
 * The telemetry of one process: log lines, metrics, spans, and the small HTTP server that machines ask. Started here and nowhere
 * else; the flow only emits events and answers questions (cluster/events.ts, cluster/measures.ts).
 */
import { hostname } from 'node:os'
import { styleText } from 'node:util'
import type { Redis } from 'ioredis'
import { type EventBus, guarded, type Listened } from '../cluster/events.ts'
import { VERSION } from '../cluster/protocol/version.ts'
import type { Keys } from '../cluster/redis/keys.ts'
import { announceProcess, type ProcessRole } from '../cluster/redis/processes.ts'
import type { Settings } from '../cluster/settings.ts'
import type { Instruments } from '../telemetry/instruments.ts'
import { isTold, type Level, logEvents, type Write } from '../telemetry/log.ts'
import { jsonSink, otlpSink, textSink } from '../telemetry/log-sinks.ts'
import type { Probes } from '../telemetry/probes.ts'
import { isDisabled, isExported, samplingOf } from '../telemetry/sampling.ts'
import type { Sdk } from '../telemetry/sdk.ts'

export interface Subject {
  readonly role: ProcessRole | 'tool'
  /** Which one of them. */
  readonly id: string
  readonly pipeline?: string
}

export interface Telemetry extends AsyncDisposable {
  /** A line of the process itself, beside those of events. */
  readonly say: (text: string, level?: Level) => void
  /** Share of the records to trace; absent where there is nobody to tell. */
  readonly sampling: ReturnType<typeof samplingOf>
  /** Absent where the SDK is off. */
  readonly instruments?: Instruments
  /** Makes spans of what happens to records of that topic. */
  readonly trace: (topic: string, group?: string) => void
  /** Opens the server for machines. @returns `host:port` under which others reach it */
  readonly serve: (probes: Probes, index?: number) => Promise<string>
}

const paints = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' } as const
const painted = (level: Level, text: string): string =>
  styleText(paints[level], text, { stream: process.stderr })

/** Where the lines of this process go. */
export const logSink = ({ logFormat }: Pick<Settings, 'logFormat'>, who: string): Write => {
  const isPretty = logFormat === 'pretty' || (logFormat === 'auto' && process.stderr.isTTY)
  return isPretty ? textSink(who, process.stderr, painted) : jsonSink(who, process.stderr)
}

/** The SDK is loaded where something asks for it only: it costs a third of a second. */
const startSdk = async (
  { role, id, pipeline }: Subject,
  tell: (text: string) => void,
): Promise<Sdk | undefined> => {
  if (isDisabled(process.env)) return undefined
  const isWanted = role !== 'tool' || isExported(process.env, 'TRACES')
  if (!isWanted) return undefined
  // Dropped spans are counted by the SDK itself, if asked to.
  process.env.OTEL_NODE_EXPERIMENTAL_SDK_METRICS ??= 'true'
  const { startSdk: start } = await import('../telemetry/sdk.ts')
  return start({
    tell,
    env: process.env,
    service: `millrace-${role}`,
    version: VERSION,
    attributes: {
      'service.instance.id': id,
      'host.name': hostname(),
      ...(pipeline !== undefined && { 'millrace.pipeline': pipeline }),
    },
  })
}

export const startTelemetry = async (
  settings: Settings,
  subject: Subject,
  events: EventBus,
): Promise<Telemetry> => {
  await using begun = new AsyncDisposableStack()
  const seen = guarded(events, 'telemetry')
  // From the first moment on: others connect while the SDK is loaded, and may have to wait for something.
  const sinks: Write[] = [logSink(settings, subject.id)]
  const write: Write = (line) => {
    for (const sink of sinks) sink(line)
  }
  logEvents(seen, settings.logLevel, write)
  const sdk = await startSdk(subject, (text) => write({ level: 'warn', event: 'telemetry', text }))
  if (sdk !== undefined) begun.defer(() => sdk.close())
  if (sdk?.logger !== undefined) sinks.push(otlpSink(sdk.logger))
  const metered = sdk && (await meter(sdk, subject, seen))
  if (metered !== undefined) begun.defer(metered.close)
  const tracers = sdk && (await import('../telemetry/tracing.ts'))
  const sampling = sdk && samplingOf(process.env)
  const stack = begun.move()
  return {
    say: (text, level = 'info') => isTold(level, settings.logLevel) && write({ level, event: 'told', text }),
    sampling,
    ...(metered && { instruments: metered.instruments }),
    trace: (topic, group) => {
      if (sdk === undefined || tracers === undefined || sampling === undefined) return
      const { tracer, ids } = sdk
      const spans = new tracers.SpanMaker({ events: seen, tracer, ids, topic, ...(group && { group }) })
      stack.defer(() => spans.close())
    },
    serve: async (probes, index = 0) => {
      const { serveProbes } = await import('../telemetry/probes.ts')
      const { metricsHost: host, metricsPort } = settings
      const port = metricsPort === 0 ? 0 : metricsPort + index
      const server = stack.adopt(
        await serveProbes({ host, port, probes, metrics: sdk?.metricsPage }),
        (one) => one.close(),
      )
      return `${advertised(settings)}:${server.port}`
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const meter = async (sdk: Sdk, { role, id, pipeline }: Subject, events: Listened) => {
  const [{ Instruments }, { countEvents, declareWorker }, { observeProcess }] = await Promise.all([
    import('../telemetry/instruments.ts'),
    import('../telemetry/counting.ts'),
    import('../telemetry/observing.ts'),
  ])
  const instruments = new Instruments(sdk.meter, sdk.observed, pipeline === undefined ? {} : { pipeline })
  countEvents(events, instruments)
  if (role === 'worker') declareWorker(instruments)
  const close = observeProcess(instruments, { role, version: VERSION, id })
  return { instruments, close }
}

const EVERY_ADDRESS: readonly string[] = ['0.0.0.0', '::']

/** Under which others reach what listens at metricsHost. */
const advertised = ({ advertisedHost, metricsHost }: Settings): string => {
  const host = advertisedHost ?? (EVERY_ADDRESS.includes(metricsHost) ? hostname() : metricsHost)
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

/** Tells everybody who asks the coordinator where the metrics of this process are, until it is disposed. */
export const announce = (
  { redis, keys, leaseMs }: { readonly redis: Redis; readonly keys: Keys; readonly leaseMs: number },
  { role, id, pipeline }: Subject,
  address: string,
): AsyncDisposable =>
  role === 'tool'
    ? new AsyncDisposableStack()
    : announceProcess(redis, keys, { role, id, address, ...(pipeline && { pipeline }) }, leaseMs)

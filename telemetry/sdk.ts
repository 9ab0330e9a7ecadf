/** The OpenTelemetry SDK of one process: where metrics are read, and where spans, metrics and logs are sent, by its own `OTEL_*`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  context,
  DiagLogLevel,
  diag,
  type Logger,
  logs,
  type Meter,
  metrics,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { defaultResource, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { AlwaysOnSampler } from '@opentelemetry/sdk-trace'
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import { GivenIds } from './ids.ts'
import { ObservedMetrics } from './observed.ts'
import { isExported } from './sampling.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface SdkOptions {
  readonly env: Environment
  /** `millrace-worker` and the like, unless OTEL_SERVICE_NAME says otherwise. */
  readonly service: string
  readonly version: string
  /** Of the resource. */
  readonly attributes: Readonly<Record<string, string>>
  /** Told what the SDK warns of, such as a collector that is away. */
  readonly tell: (text: string) => void
}

export interface Sdk {
  readonly tracer: Tracer
  readonly meter: Meter
  readonly observed: ObservedMetrics
  /** Present where logs are sent. */
  readonly logger?: Logger
  readonly ids: GivenIds
  /** Answers with the metrics as Prometheus reads them. */
  readonly metricsPage: (request: IncomingMessage, response: ServerResponse) => void
  /** Sends what is left. */
  close(): Promise<void>
}

const SCOPE = 'millrace'
/** What an exporter cannot send by then is lost: an end must not hang on whoever collects. */
const CLOSE_MS = 1000

export const startSdk = async (options: SdkOptions): Promise<Sdk> => {
  const { env, service, version, attributes, tell } = options
  const ids = new GivenIds()
  const observed = new ObservedMetrics(SCOPE)
  const prometheus = new PrometheusExporter({
    ...{ preventServerStart: true, withoutScopeInfo: true, metricProducers: [observed] },
  })
  const pushed = isExported(env, 'METRICS') ? [await pushReader(env, observed)] : []
  const sdk = new NodeSDK({
    resource: defaultResource().merge(
      resourceFromAttributes({
        [ATTR_SERVICE_NAME]: service,
        [ATTR_SERVICE_VERSION]: version,
        ...attributes,
      }),
    ),
    // The SDK's own detectors would tell command lines and users: only what somebody said in OTEL_* is told.
    resourceDetectors: [envDetector],
    metricReaders: [prometheus, ...pushed],
    // Left out, the SDK makes them from its variables; empty, it makes none.
    ...(!isExported(env, 'TRACES') && { spanProcessors: [] }),
    ...(!isExported(env, 'LOGS') && { logRecordProcessors: [] }),
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    textMapPropagator: null,
    instrumentations: [],
  })
  tellWarnings(tell)
  sdk.start()
  return {
    tracer: trace.getTracer(SCOPE, version),
    meter: metrics.getMeter(SCOPE),
    observed,
    ...(isExported(env, 'LOGS') && { logger: logs.getLogger(SCOPE, version) }),
    ids,
    metricsPage: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    close: () => closed(sdk),
  }
}

const closed = async (sdk: NodeSDK): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS)
  })
  // Whoever collects is away: that was told as a warning, and there is nobody left to tell.
  await Promise.race([sdk.shutdown().catch(() => undefined), late])
  clearTimeout(timer)
  context.disable()
  trace.disable()
  metrics.disable()
  logs.disable()
}

/** A warning that repeats within this time is left out. */
const REPEAT_MS = 60_000

/** In place of the SDK's console, which would write to stdout: that is for data. */
const tellWarnings = (tell: (text: string) => void): void => {
  let [last, at] = ['', Number.NEGATIVE_INFINITY]
  const warn = (...said: readonly unknown[]) => {
    const text = `OpenTelemetry: ${said.map(wordsOf).join(' ')}`
    const now = performance.now()
    if (text === last && now - at < REPEAT_MS) return
    ;[last, at] = [text, now]
    tell(text)
  }
  const silent = () => undefined
  diag.setLogger(
    { error: warn, warn, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
}

const MOST_WORDS = 500

/** The SDK tells errors as JSON with their stack: the message is enough. */
const wordsOf = (said: unknown): string => {
  const text = String(said)
  try {
    const { message } = JSON.parse(text)
    return typeof message === 'string' ? message : text.slice(0, MOST_WORDS)
  } catch {
    return text.slice(0, MOST_WORDS)
  }
}

const exporters = {
  grpc: () => import('@opentelemetry/exporter-metrics-otlp-grpc'),
  'http/json': () => import('@opentelemetry/exporter-metrics-otlp-http'),
  'http/protobuf': () => import('@opentelemetry/exporter-metrics-otlp-proto'),
} as const

const isProtocol = (name: string): name is keyof typeof exporters => Object.hasOwn(exporters, name)

const positive = (text: string | undefined): number | undefined => {
  const value = Number(text)
  return Number.isFinite(value) && value > 0 ? value : undefined
}

/** What the SDK would make of its variables, which it does only where nobody reads the metrics otherwise. */
const pushReader = async (env: Environment, observed: ObservedMetrics) => {
  const asked = env.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || ''
  const { OTLPMetricExporter } = await exporters[isProtocol(asked) ? asked : 'http/protobuf']()
  const interval = positive(env.OTEL_METRIC_EXPORT_INTERVAL)
  const timeout = positive(env.OTEL_METRIC_EXPORT_TIMEOUT)
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    metricProducers: [observed],
    ...(interval !== undefined && {
      exportIntervalMillis: interval,
      exportTimeoutMillis: Math.min(interval, timeout ?? interval),
    }),
  })
}

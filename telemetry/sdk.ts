/** The OpenTelemetry SDK of one process: where metrics are read, and where spans, metrics and logs are sent, by its own `OTEL_*`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Logger, logs, type Meter, metrics, type Tracer, trace } from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { defaultResource, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { AlwaysOnSampler } from '@opentelemetry/sdk-trace'
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import { GivenIds } from './ids.ts'
import { isExported } from './sampling.ts'

export interface SdkOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** `millrace-worker` and the like, unless OTEL_SERVICE_NAME says otherwise. */
  readonly service: string
  readonly version: string
  /** Of the resource. */
  readonly attributes: Readonly<Record<string, string>>
}

export interface Sdk {
  readonly tracer: Tracer
  readonly meter: Meter
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

export const startSdk = ({ env, service, version, attributes }: SdkOptions): Sdk => {
  const ids = new GivenIds()
  const prometheus = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true })
  const pushed = isExported(env, 'METRICS')
    ? [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })]
    : []
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
  sdk.start()
  return {
    tracer: trace.getTracer(SCOPE, version),
    meter: metrics.getMeter(SCOPE, version),
    ...(isExported(env, 'LOGS') && { logger: logs.getLogger(SCOPE, version) }),
    ids,
    metricsPage: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    async close() {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS)
      })
      // Whoever collects is away: it has been said by the exporter, and there is nobody left to tell.
      await Promise.race([sdk.shutdown().catch(() => undefined), late])
      clearTimeout(timer)
      trace.disable()
      metrics.disable()
      logs.disable()
    },
  }
}

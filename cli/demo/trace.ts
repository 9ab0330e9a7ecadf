/**
 * Tracing seen without a tracing system: the demo takes the spans of its own processes and at its end draws one retried record's trace.
 * Where the settings of OpenTelemetry already send traces somewhere, they go there and nowhere else.
 */
import { isExported } from '../../telemetry/sampling.ts'
import { terminalOf } from '../terminal.ts'
import { receiveTraces } from '../traces/receiver.ts'
import { traceText } from '../traces/text.ts'

export interface DemoTraces extends AsyncDisposable {
  /** Lines for people; call it after the processes have ended. */
  readonly lines: () => readonly string[]
}

/** Traces a second at most that are enough to choose from. */
const ENOUGH = 20
/** Of a short demo, so that a retried one is among them. */
const FEW = 500
/** Kept, so that a retried record's first span is still there when its last one comes. */
const KEPT = 2000

/** @param count records of the demo; absent: no end @param rate records a second */
export const traceDemo = async (
  env: NodeJS.ProcessEnv,
  { count = Number.POSITIVE_INFINITY, rate }: { readonly count?: number; readonly rate: number },
): Promise<DemoTraces> => {
  if (env.OTEL_SDK_DISABLED === 'true') return noTraces('')
  if (isExported(env, 'TRACES')) return noTraces('traces: sent as OTEL_* says')
  const receiver = await receiveTraces({ most: KEPT })
  const ratio = Math.min(1, Math.max(ENOUGH / Math.max(rate, 1), FEW / count))
  // Read by the SDKs of this process and of its children.
  Object.assign(env, {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces`,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: String(ratio),
    OTEL_BSP_SCHEDULE_DELAY: '500',
  })
  const lines = () => {
    const found = receiver.pick()
    if (found === undefined) return []
    return ['', ...traceText(found, terminalOf(process.stdout, env)).split('\n'), '']
  }
  return { lines, [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose]() }
}

const noTraces = (line: string): DemoTraces => ({
  lines: () => (line === '' ? [] : [line]),
  [Symbol.asyncDispose]: async () => undefined,
})

/**
 * Which share of the records is traced, from the variables that OpenTelemetry gave to that (`OTEL_TRACES_SAMPLER`, `_ARG`). The SDK's
 * own sampler is not asked: the decision is made where a record runs, long before its spans. Pure.
 */
type Environment = Readonly<Record<string, string | undefined>>

/** Without any word of a sampler. */
export const DEFAULT_RATIO = 0.01

/** As the SDK reads it. */
export const isDisabled = (env: Environment): boolean =>
  env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true'

const isSet = (env: Environment, name: string): boolean => (env[name] ?? '') !== ''

/** Whether there is anywhere to send a signal to: an endpoint, and no `OTEL_<SIGNAL>_EXPORTER=none`. */
export const isExported = (env: Environment, signal: 'TRACES' | 'METRICS' | 'LOGS'): boolean => {
  if (isDisabled(env) || env[`OTEL_${signal}_EXPORTER`] === 'none') return false
  return (
    isSet(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') ||
    isSet(env, `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) ||
    (signal !== 'METRICS' && env[`OTEL_${signal}_EXPORTER`] === 'console')
  )
}

/** Undefined where no record is ever traced, else the share (0 to 1) of those that came without a trace. */
export const samplingOf = (env: Environment): { readonly ratio: number } | undefined => {
  if (!isExported(env, 'TRACES')) return undefined
  const sampler = (env.OTEL_TRACES_SAMPLER ?? '').replace(/^parentbased_/, '')
  if (sampler === 'always_on') return { ratio: 1 }
  if (sampler === 'always_off') return env.OTEL_TRACES_SAMPLER === sampler ? undefined : { ratio: 0 }
  const share = isSet(env, 'OTEL_TRACES_SAMPLER_ARG') ? Number(env.OTEL_TRACES_SAMPLER_ARG) : Number.NaN
  return { ratio: share >= 0 && share <= 1 ? share : DEFAULT_RATIO }
}

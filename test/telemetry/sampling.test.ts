import { describe, expect, test } from 'vitest'
import { DEFAULT_RATIO, isExported, samplingOf } from '../../telemetry/sampling.ts'

const TO = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }

describe('which share is traced', () => {
  test.each([
    ['nobody listens', {}, undefined],
    ['an endpoint and no word more', TO, DEFAULT_RATIO],
    ['an endpoint of traces alone', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c' }, DEFAULT_RATIO],
    ['traces go nowhere', { ...TO, OTEL_TRACES_EXPORTER: 'none' }, undefined],
    ['the SDK is off', { ...TO, OTEL_SDK_DISABLED: 'TRUE' }, undefined],
    ['all', { ...TO, OTEL_TRACES_SAMPLER: 'always_on' }, 1],
    ['none at all', { ...TO, OTEL_TRACES_SAMPLER: 'always_off' }, undefined],
    ['those that come with a trace', { ...TO, OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, 0],
    [
      'a share',
      { ...TO, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      0.25,
    ],
    ['a share that is none', { ...TO, OTEL_TRACES_SAMPLER_ARG: 'much' }, DEFAULT_RATIO],
  ])('%s', (_, env, ratio) => expect(samplingOf(env)?.ratio).toBe(ratio))
})

test('each signal has an endpoint of its own', () => {
  const env = { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://c/v1/logs' }
  expect([isExported(env, 'LOGS'), isExported(env, 'TRACES'), isExported(env, 'METRICS')]).toEqual([
    true,
    false,
    false,
  ])
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../cluster/errors.ts'
import {
  addresses,
  duration,
  flag,
  integer,
  oneOf,
  redisAddress,
  size,
} from '../../cluster/settings/values.ts'
import { explainSettings, parseDuration, readSettings, settingsTable } from '../../cluster/settings.ts'

const refusal = (env: Record<string, string>): MillraceError => {
  try {
    readSettings(env)
  } catch (error) {
    if (error instanceof MillraceError) return error
  }
  throw new Error(`was not refused: ${JSON.stringify(env)}`)
}

describe('values', () => {
  test.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['250', 250],
  ])('the duration %s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

  test.each(['', 's', '-1s', '5 minutes', '1d', '25000h'])('%j is no duration', (text) =>
    expect(() => parseDuration(text)).toThrow('expected'),
  )

  test.each([
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['16 mib', 16_777_216],
    ['1GiB', 1_073_741_824],
  ])('the size %s is %d bytes', (text, bytes) => expect(size.parse(text)).toBe(bytes))

  test.each(['0', '2GiB', '1.5MiB', '10MB', 'much'])('%j is no size', (text) =>
    expect(() => size.parse(text)).toThrow('expected a size'),
  )

  test.each(['true', '1', 'yes', 'ON'])('%s is true', (text) => expect(flag.parse(text)).toBe(true))
  test.each(['false', '0', 'No', 'off'])('%s is false', (text) => expect(flag.parse(text)).toBe(false))
  test('a flag is nothing else', () => expect(() => flag.parse('maybe')).toThrow('true or false'))

  test.each(['-1', '65536', '1.5', '0x10', '1e3', 'ten', ' 5'])('%j is no port', (text) =>
    expect(() => integer(0, 65_535).parse(text)).toThrow('expected a whole number from 0 to 65535'),
  )

  test('addresses are separated by commas, with or without spaces', () =>
    expect(addresses.parse('a:1, b.example:9092,')).toEqual(['a:1', 'b.example:9092']))
  test.each(['localhost', 'a:0', 'a:70000', 'kafka://a:9092', '[::1]:9092', 'a:9092;b:9092'])(
    '%j is no address',
    (text) => expect(() => addresses.parse(text)).toThrow('expected host:port'),
  )

  test.each(['redis://h:6379', 'rediss://u:p@h:6379/2'])('%s is a Redis address', (text) =>
    expect(redisAddress.parse(text)).toBe(text),
  )
  test.each(['h:6379', 'http://h', 'redis://'])('%j is no Redis address', (text) =>
    expect(() => redisAddress.parse(text)).toThrow('expected redis://'),
  )

  test('a choice names what it may be', () => expect(() => oneOf('a', 'b').parse('c')).toThrow('a, b'))

  test('what a duration or a size shows is read back as the same value', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (value) => {
        expect(duration().parse(duration().show(value))).toBe(value)
        expect(size.parse(size.show(value))).toBe(value)
      }),
    ))
})

describe('readSettings', () => {
  test('without an environment every setting has its default', () =>
    expect(readSettings({})).toEqual(
      Object.fromEntries(Object.entries(settingsTable).map(([name, entry]) => [name, entry.default])),
    ))

  test('the environment wins over defaults, overrides win over the environment', () => {
    const env = { MILLRACE_THREADS: '3', MILLRACE_LEASE: '5s' }
    expect(readSettings(env, { lease: 700 })).toMatchObject({ threads: 3, lease: 700 })
  })

  test('an empty value counts as none', () =>
    expect(readSettings({ MILLRACE_SLOTS: '', MILLRACE_THREADS: '' })).toEqual(readSettings({})))

  test('an unknown name is refused with the nearest known one', () =>
    expect(refusal({ MILLRACE_KAFKA_BROKER: 'a:1' }).message).toBe(
      'unknown setting MILLRACE_KAFKA_BROKER; did you mean MILLRACE_KAFKA_BROKERS?',
    ))

  test('a wrong value is refused with its name, itself and what was expected', () =>
    expect(refusal({ MILLRACE_THREADS: 'many' }).message).toBe(
      'MILLRACE_THREADS is "many": expected a whole number from 1 to 64',
    ))

  test('a wrong secret is refused without being repeated', () => {
    const { message } = refusal({ MILLRACE_REDIS_URL: 'hunter2@host' })
    expect(message).toContain('MILLRACE_REDIS_URL')
    expect(message).not.toContain('hunter2')
  })

  test.each(['hook.example', 'ftp://hook.example', 'hunter2'])('%s is no alert hook', (text) => {
    const { message } = refusal({ MILLRACE_ALERT_HOOK: text })
    expect(message).toBe('MILLRACE_ALERT_HOOK: expected an address such as https://host/path')
  })

  test.each([
    'MILLRACE_REDIS_SERVICE_HOST',
    'MILLRACE_REDIS_SERVICE_PORT',
    'MILLRACE_REDIS_SERVICE_PORT_HTTP',
    'MILLRACE_COORDINATOR_PORT',
    'MILLRACE_COORDINATOR_PORT_8400_TCP_ADDR',
  ])('%s, which Kubernetes injects, is ignored', (name) =>
    expect(readSettings({ [name]: 'tcp://10.0.0.1:8400' })).toEqual(readSettings({})),
  )

  test('a Service called millrace-http does not set the HTTP port', () => {
    expect(readSettings({ MILLRACE_HTTP_PORT: 'tcp://10.0.0.1:80' }).httpPort).toBe(8400)
    expect(readSettings({ MILLRACE_HTTP_PORT: '9000' }).httpPort).toBe(9000)
  })

  test("a pipeline's own options and foreign names are left alone", () =>
    expect(readSettings({ MILLRACE_OPTION_KEY: 'x', OTEL_SERVICE_NAME: 'y', PATH: 'z' })).toEqual(
      readSettings({}),
    ))

  test.each([
    [{ MILLRACE_KAFKA_TLS: 'true', MILLRACE_KAFKA_TLS_CERT: 'c.pem' }, 'belong together'],
    [{ MILLRACE_KAFKA_TLS_CA: 'ca.pem' }, 'MILLRACE_KAFKA_TLS is not true'],
    [{ MILLRACE_KAFKA_SASL_MECHANISM: 'plain' }, 'no user name is set'],
    [{ MILLRACE_KAFKA_SASL_MECHANISM: 'oauthbearer' }, 'MILLRACE_KAFKA_OAUTH_MODULE names no module'],
    [{ MILLRACE_KAFKA_OAUTH_MODULE: 't.mjs' }, 'MILLRACE_KAFKA_SASL_MECHANISM is none'],
    [{ MILLRACE_REDIS_URL: 'rediss://h', MILLRACE_REDIS_TLS_KEY: 'k.pem' }, 'belong together'],
    [{ MILLRACE_REDIS_URL: 'redis://h', MILLRACE_REDIS_TLS_CA: 'ca.pem' }, 'does not begin with rediss://'],
  ])('settings that contradict each other are refused: %j', (env, reason) =>
    expect(refusal(env).message).toContain(reason),
  )

  test('no value but its own kind passes: any text is read or refused with a MillraceError', () => {
    const names = Object.values(settingsTable).map(({ env }) => env)
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.string(), (name, text) => {
        try {
          readSettings({ [name]: text })
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError)
        }
      }),
    )
  })
})

describe('explainSettings', () => {
  const explain = (env: Record<string, string>, local = {}) =>
    new Map(explainSettings(env, readSettings(env, local)).map((entry) => [entry.name, entry]))

  test('it says where each value comes from', () => {
    const shown = explain({ MILLRACE_THREADS: '3' }, { kafkaBrokers: ['127.0.0.1:4000'] })
    expect(shown.get('threads')).toMatchObject({ value: '3', from: 'environment' })
    expect(shown.get('kafkaBrokers')).toMatchObject({ value: '127.0.0.1:4000', from: 'local services' })
    expect(shown.get('lease')).toMatchObject({ value: '10s', from: 'default' })
  })

  test('it hides passwords, wherever they stand', () => {
    const env = {
      MILLRACE_KAFKA_SASL_MECHANISM: 'plain',
      MILLRACE_KAFKA_SASL_USERNAME: 'app',
      MILLRACE_KAFKA_SASL_PASSWORD: 'hunter2',
      MILLRACE_REDIS_URL: 'rediss://app:hunter2@redis.example:6379/1?password=hunter2',
      MILLRACE_ALERT_HOOK: 'https://app:hunter2@hook.example/hunter2?token=hunter2',
    }
    expect(JSON.stringify([...explain(env)])).not.toContain('hunter2')
    expect(explain(env).get('redisUrl')?.value).toBe('rediss://***@redis.example:6379/1?***')
    expect(explain(env).get('alertHook')?.value).toBe('https://hook.example/***')
    expect(explain({}).get('alertHook')?.value).toBe('')
  })
})

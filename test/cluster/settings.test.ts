import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingsEnv } from '../../cli/settings-env.ts'
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

describe('a secret in a file', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-secret-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const written = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  test.each([
    ['hunter2', 'hunter2'],
    ['hunter2\n', 'hunter2'],
    ['hunter2\r\n\n', 'hunter2'],
    [' hunter 2 \n', ' hunter 2 '],
  ])('%j is read as %j', (text, value) => {
    const env = { MILLRACE_HTTP_TOKEN_FILE: written('token', text) }
    expect(readSettings(env).httpToken).toBe(value)
    expect(explainSettings(env, readSettings(env)).find(({ name }) => name === 'httpToken')).toMatchObject({
      value: '***',
      from: 'file',
    })
  })

  test('every secret may stand in one, and nothing else', () => {
    // MILLRACE_HTTP_PORT_FILE could be injected by Kubernetes for a Service, as far as its name goes.
    const entries = Object.entries(settingsTable).filter(([, { env }]) => !env.endsWith('_PORT'))
    for (const [name, { env, hide }] of entries) {
      const path = written('any', 'redis://app:hunter2@redis.example:6379')
      const variable = `${env}_FILE`
      if (hide === undefined) expect(refusal({ [variable]: path }).message, name).toContain('unknown setting')
      else if (name === 'alertHook' || name === 'opensearchUrl')
        expect(refusal({ [variable]: path }).message, name).not.toContain('hunter2')
      else
        expect(readSettings({ [variable]: path }), name).toMatchObject({
          [name]: 'redis://app:hunter2@redis.example:6379',
        })
    }
  })

  test('said twice it is refused: neither wins by chance', () => {
    const env = { MILLRACE_HTTP_TOKEN: 'a', MILLRACE_HTTP_TOKEN_FILE: written('token', 'b') }
    expect(refusal(env).message).toBe('MILLRACE_HTTP_TOKEN and MILLRACE_HTTP_TOKEN_FILE are both set')
    expect(readSettings({ ...env, MILLRACE_HTTP_TOKEN_FILE: '' }).httpToken).toBe('a')
    expect(readSettings({ ...env, MILLRACE_HTTP_TOKEN: '' }).httpToken).toBe('b')
  })

  test('a file that is not there, is none or is empty is refused by name', () => {
    const at = (path: string) => refusal({ MILLRACE_HTTP_TOKEN_FILE: path }).message
    const gone = join(folder, 'gone')
    expect(at(gone)).toBe(`MILLRACE_HTTP_TOKEN_FILE: ${gone} cannot be read (ENOENT)`)
    expect(at(folder)).toBe(`MILLRACE_HTTP_TOKEN_FILE: ${folder} cannot be read (EISDIR)`)
    const empty = written('empty', '\n')
    expect(at(empty)).toBe(`MILLRACE_HTTP_TOKEN_FILE: ${empty} is empty`)
  })

  test('a wrong value of a file is not repeated', () => {
    const { message } = refusal({ MILLRACE_REDIS_URL_FILE: written('url', 'hunter2@host') })
    expect(message).toBe('MILLRACE_REDIS_URL: expected redis://host:port or rediss://host:port')
  })

  test('a child process gets the value alone, and reads the same', () => {
    const env = { MILLRACE_REDIS_URL_FILE: written('url', 'redis://redis.example:6379\n') }
    const settings = readSettings(env)
    expect(readSettings({ ...env, ...settingsEnv(settings) })).toEqual(settings)
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

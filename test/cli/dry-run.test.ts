import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { finished, start } from '../pipelines/start-command.ts'

const dryRun = async (args: readonly string[], input: string, more: Record<string, string> = {}) => {
  const child = start(['dry-run', ...args], more)
  child.stdin.on('error', () => undefined).end(input)
  const { out, err, code } = await finished(child)
  const lines = out.split('\n').filter(Boolean)
  return { code, err, lines: lines.map((line): unknown => JSON.parse(line)), out }
}

const plain = { MILLRACE_OPTION_TOKEN_KEY: '' }
const login = JSON.stringify({
  user_id: 'u',
  app_version: '2.3.0',
  ip: '1.2.3.4',
  locale: 'CA',
  device_id: '12345',
  timestamp: 1694479551,
})

test('one line of JSON for each line of input, in order', async () => {
  const { lines, code, err } = await dryRun(
    ['bench-login', '--now', '1694479600000'],
    `${login}\nnull\nNaN\n\n[]\n{"user_id":5}\n${login}`,
    plain,
  )
  const done = {
    outcome: 'done',
    code: null,
    value: {
      ...JSON.parse(login),
      ip: '1.2.*.*',
      device_id: '*2345',
      device_type: 'unknown',
      login_time: '2023-09-12T00:45:51.000Z',
      processed_at: '2023-09-12T00:46:40.000Z',
      latency_ms: 49_000,
    },
  }
  const dead = (of: string) => ({ outcome: 'dead', code: of, value: null })
  expect(lines).toEqual([
    done,
    dead('tombstone'),
    dead('not-json'),
    dead('not-json'),
    dead('not-an-object'),
    dead('schema:user_id'),
    done,
  ])
  expect([code, err]).toEqual([0, ''])
})

test('--base64 takes the bytes as they are; the bare word null stays a tombstone', async () => {
  const bytes = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])
  const { lines } = await dryRun(
    ['bench-login', '--base64'],
    `${bytes.toString('base64')}\nnull\n${Buffer.from('null').toString('base64')}\n`,
    plain,
  )
  expect(lines).toMatchObject([{ code: 'not-utf8' }, { code: 'tombstone' }, { code: 'not-an-object' }])
})

test('a line that is not base64 ends the run with its number', async () => {
  const { code, err } = await dryRun(['bench-login', '--base64'], 'bnVsbA==\n{}\n', plain)
  expect(err).toBe('millrace: line 2 is not base64; see --help\n')
  expect(code).toBe(2)
})

test('--insights adds the windows and the aggregates at the end', async () => {
  const later = login.replace('1694479551', '1694483151')
  const { lines } = await dryRun(['bench-login', '--insights'], `${login}\n${later}\n{}\n`, plain)
  expect(lines.at(-1)).toMatchObject({
    aggregates: { logins: 2, logins_by_device_type: { unknown: 2 }, logins_by_locale: { CA: 2 } },
    insights: expect.arrayContaining([
      { aggregate: 'logins', size: '3600000', window: '2023-09-12T00:00:00.000Z', value: 1 },
      { aggregate: 'logins', size: '3600000', window: '2023-09-12T01:00:00.000Z', value: 1 },
    ]),
  })
})

test('options come from the environment; the same key gives the same token', async () => {
  const [one, two] = await Promise.all([dryRun(['user-login'], login), dryRun(['user-login'], login)])
  expect(one.lines).toMatchObject([{ value: { device_token: expect.stringMatching(/^[0-9a-f]{16}$/) } }])
  expect(token(one.lines[0])).toBe(token(two.lines[0]))
})

const token = (line: unknown): unknown => (line as { value: { device_token: unknown } }).value.device_token

test('a secret that is not set is made, and the run says so', async () => {
  const { lines, err } = await dryRun(['user-login'], login, plain)
  expect(lines).toMatchObject([{ outcome: 'done' }])
  expect(err).toBe('MILLRACE_OPTION_TOKEN_KEY is not set: this run made one\n')
})

test.each([
  [['no-such'], {}, 3, 'no pipeline is called no-such'],
  [['user-login'], { MILLRACE_OPTION_TOKEN_KEY: 'short' }, 2, 'MILLRACE_OPTION_TOKEN_KEY does not fit'],
  [['bench-login'], {}, 2, 'has no option MILLRACE_OPTION_TOKEN_KEY'],
  [['bench-login', '--now', 'soon'], plain, 2, 'Expected'],
  [['bench-login'], { ...plain, MILLRACE_PIPELINES: 'x' }, 2, 'MILLRACE_PIPELINES'],
])('%j with %j ends in one line', async (args, more, exit, expected) => {
  const { code, err, out } = await dryRun(args, login, more)
  expect(err).toContain(expected)
  expect(err.trimEnd().split('\n')).toHaveLength(1)
  expect([code, out]).toEqual([exit, ''])
})

test('a closed reader ends an endless input quietly', async () => {
  const child = start(['dry-run', 'bench-login'], plain)
  const exit = new Promise((resolve) => child.on('close', resolve))
  const err = text(child.stderr)
  child.stdin.on('error', () => undefined)
  const feed = () => {
    while (child.stdin.writable && child.stdin.write('{}\n'.repeat(1000)));
  }
  child.stdin.on('drain', feed)
  child.stdout.once('data', () => child.stdout.destroy())
  feed()
  expect([await exit, await err]).toEqual([0, ''])
})

test('output is streamed: an answer comes while the input stays open', async () => {
  const child = start(['dry-run', 'bench-login'], plain)
  const answer = new Promise((resolve) => child.stdout.once('data', resolve))
  child.stdin.write('null\n')
  expect(String(await answer)).toContain('tombstone')
  child.stdin.end()
})

test('--insights tells what is published by count, and counts errors by class', async () => {
  const whole = `${JSON.stringify({ ...JSON.parse(login), device_type: 'iOS' })}\n`
  const counted = await dryRun(['login-insights', '--insights'], whole.repeat(3), {
    ...plain,
    MILLRACE_OPTION_EACH: '2',
  })
  expect(counted.lines.at(-1)).toMatchObject({
    aggregates: { logins: 3, logins_by_region: { CA: 3 } },
    published: [
      { metric: 'peak_hour', logins: 2 },
      { metric: 'logins_per_region', region: 'CA', count: 2 },
      { metric: 'device_usage', device_type: 'iOS', percentage: 100 },
    ],
  })
  const failing = await dryRun(['login-privacy', '--insights'], `${whole}nope\n{}\n`, plain)
  expect(failing.lines.at(-1)).toMatchObject({
    aggregates: { processed: 1, errors: { parsing: 1, validation: 1 } },
  })
})

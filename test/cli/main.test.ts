import { describe, expect, test } from 'vitest'
import { entries } from '../../cli/commands.ts'
import { errorKinds } from '../../cluster/errors.ts'
import { millrace } from './millrace.ts'

const oneLine = /^millrace: [^\n]+\n$/

describe('millrace', () => {
  test('--help names every command, --version the version of the package', async () => {
    const help = await millrace(['--help'])
    expect(help.code).toBe(0)
    for (const { name, summary } of entries)
      expect(help.stdout).toMatch(new RegExp(`  ${name} +${summary}\n`))
    expect(await millrace(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
  })

  test('without a command it shows the help on stderr and fails', async () => {
    const { code, stdout, stderr } = await millrace([])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('Usage: millrace')
  })

  test.each([
    [['setings'], /unknown command 'setings' .*settings/],
    [['generate', '--cout', '3'], /unknown option '--cout' .*--count/],
    [['generate', '--count', 'many'], 'Expected a number'],
    [['generate', '--missing', '2'], 'Expected a share from 0 to 1'],
    [['generate', '--rate', '5', '--interval', '1'], 'cannot be used with'],
    [['generate', '--keys', 'some'], 'Allowed choices are uniform, zipf'],
    [['tail'], "missing required argument 'topic'"],
    [['send', 'topic', '-H', 'novalue'], 'Expected name=value'],
    [['settings', '-o', 'xml'], 'Allowed choices are text, json'],
    [['tail', 'topic', '--from', 'yesterdayish'], 'give beginning, end, an offset, or a time'],
    [['insights', '--window', 'soon'], 'give latest, all, or a time'],
  ])('%j ends with one line and the exit code of wrong arguments', async (args, message) => {
    const { code, stdout, stderr } = await millrace(args)
    expect({ code, stdout }).toEqual({ code: errorKinds.usage.exit, stdout: '' })
    expect(stderr).toMatch(oneLine)
    expect(stderr).toMatch(message)
  })

  test('a wrong setting stops a command before it does anything', async () => {
    const env = { MILLRACE_KAFKA_BROKER: 'a:1' }
    const { code, stderr } = await millrace(['generate', '--count', '1'], { env })
    expect(code).toBe(errorKinds.settings.exit)
    expect(stderr).toMatch(oneLine)
    expect(stderr).toContain('did you mean MILLRACE_KAFKA_BROKERS?')
  })

  test('a stack is shown only with --verbose', async () => {
    const env = { MILLRACE_THREADS: 'x' }
    const { stderr } = await millrace(['settings', '--verbose'], { env })
    expect(stderr).toContain('at readSettings')
    expect((await millrace(['settings'], { env })).stderr).not.toContain('at readSettings')
  })

  test('a broker that does not answer is waited for, then named with what to do', async () => {
    const env = { MILLRACE_KAFKA_BROKERS: '127.0.0.1:1', MILLRACE_START_TIMEOUT: '500ms' }
    const { code, stderr } = await millrace(['generate', '--count', '1', '--topic', 't'], { env })
    expect(code).toBe(errorKinds['kafka-unreachable'].exit)
    const [waiting, failed] = stderr.split('\n')
    expect(waiting).toMatch(/^waiting for Kafka at 127\.0\.0\.1:1 \(.*ECONNREFUSED/)
    expect(failed).toMatch(/^millrace: no Kafka broker answers at 127\.0\.0\.1:1.*`millrace services up`$/)
  })

  test('a Redis that does not answer is waited for, then named with what to do', async () => {
    const env = { MILLRACE_REDIS_URL: 'redis://127.0.0.1:1', MILLRACE_START_TIMEOUT: '500ms' }
    const { code, stderr } = await millrace(['insights'], { env })
    expect(code).toBe(errorKinds['redis-unreachable'].exit)
    expect(stderr).toMatch(/waiting for Redis at 127\.0\.0\.1:1/)
    expect(stderr).toMatch(/millrace: Redis at 127\.0\.0\.1:1 does not answer.*`millrace services up`\n$/)
  })

  test.each([
    [['generate'], 'kafka-unreachable'],
    [['insights'], 'redis-unreachable'],
  ] as const)('%j without addresses and services says how to get them', async (args, kind) => {
    const { code, stderr } = await millrace(args)
    expect(code).toBe(errorKinds[kind].exit)
    expect(stderr).toMatch(/no local services run; start them with `millrace services up`, or set MILLRACE_/)
  })
})

describe('millrace settings', () => {
  const env = {
    MILLRACE_THREADS: '3',
    MILLRACE_REDIS_URL: 'redis://app:hunter2@127.0.0.1:1/0',
    MILLRACE_KAFKA_BROKERS: 'a:1,b:2',
  }
  test('as text it shows value and source, and no secret', async () => {
    const { code, stdout } = await millrace(['settings'], { env })
    expect(code).toBe(0)
    expect(stdout).toMatch(/MILLRACE_KAFKA_BROKERS +a:1,b:2 +environment\n/)
    expect(stdout).toMatch(/MILLRACE_LEASE +10s +default\n/)
    expect(stdout).toMatch(/MILLRACE_REDIS_URL +redis:\/\/\*\*\*@127\.0\.0\.1:1\/0 +environment\n/)
    expect(stdout).not.toContain('hunter2')
  })
  test('as JSON it is data', async () => {
    const { stdout } = await millrace(['settings', '-o', 'json'], { env })
    expect(JSON.parse(stdout)).toContainEqual({
      name: 'threads',
      env: 'MILLRACE_THREADS',
      value: '3',
      from: 'environment',
    })
  })
})

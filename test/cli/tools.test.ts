import { once } from 'node:events'
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createGenerator } from '../../cli/generator.ts'
import { createInput } from '../../cluster/kafka/admin.ts'
import { readSettings } from '../../cluster/settings.ts'
import { uniqueName, useServices } from '../support/services.ts'
import { type Env, millrace, start } from './millrace.ts'

/** Each test starts several processes, on a machine that may be busy. */
vi.setConfig({ testTimeout: 90_000 })

let env: Env
let kafka: Kafka
let admin: Admin

beforeAll(async () => {
  const services = await useServices()
  env = { MILLRACE_KAFKA_BROKERS: services.kafka.join(','), MILLRACE_REDIS_URL: services.redis }
  kafka = new Kafka({ brokers: [...services.kafka], logLevel: logLevel.NOTHING })
  admin = kafka.admin()
  await admin.connect()
})
afterAll(() => admin?.disconnect())

const makeTopic = async (partitions = 2): Promise<string> => {
  const topic = uniqueName('tools')
  await createInput(admin, topic, readSettings({}, { partitions }))
  return topic
}
const run = (...args: string[]) => millrace(args, { env })
const send = (stdin: string | Buffer, ...args: string[]) => millrace(['send', ...args], { env, stdin })

interface Tailed {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly valueBase64?: string
  readonly headers: readonly unknown[]
}
const tailAll = async (topic: string, ...args: string[]): Promise<Tailed[]> => {
  const { stdout, stderr, code } = await run('tail', topic, '--no-follow', '-o', 'json', ...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

describe('generate', () => {
  test('produces exactly the count, the same records for the same seed', async () => {
    const [one, other] = [await makeTopic(), await makeTopic()]
    const args = ['--count', '3000', '--rate', '0', '--seed', '7', '--corrupt', '10%', '-o', 'json']
    const first = await run('generate', '--topic', one, ...args)
    await run('generate', '--topic', other, ...args)
    const summary = JSON.parse(first.stdout)
    expect(summary).toMatchObject({ topic: one, produced: 3000, seed: 7 })
    expect(summary.corrupt).toBeGreaterThan(200)

    const generator = createGenerator({ seed: 7, corrupt: 0.1 })
    const keys = Array.from({ length: 3000 }, () => generator.next().key).sort()
    const keysIn = async (topic: string) =>
      (await tailAll(topic, '--from', 'beginning')).map(({ key }) => key).sort()
    expect(await keysIn(one)).toEqual(keys)
    expect(await keysIn(other)).toEqual(keys)
  })

  test('keeps the rate', async () => {
    const topic = await makeTopic()
    const { stdout } = await run(
      'generate',
      '--topic',
      topic,
      '--count',
      '2000',
      '--rate',
      '1000',
      '-o',
      'json',
    )
    const { seconds } = JSON.parse(stdout)
    expect(seconds).toBeGreaterThan(1.9)
    expect(seconds).toBeLessThan(10)
  })

  test.each(['all', '1', '0'])('writes with acks=%s', async (acks) => {
    const topic = await makeTopic()
    const { code, stdout } = await run(
      'generate',
      '--topic',
      topic,
      '--count',
      '50',
      '--rate',
      '0',
      '--acks',
      acks,
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^produced 50 records to ${topic} in`))
    await expect.poll(async () => (await tailAll(topic, '--from', 'beginning')).length).toBe(50)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends it with a summary of what was produced',
    async (signal) => {
      const topic = await makeTopic(1)
      const child = start(['generate', '--topic', topic, '--rate', '100', '-o', 'json'], env)
      await expect
        .poll(async () => Number((await admin.fetchTopicOffsets(topic))[0]?.high), { timeout: 20_000 })
        .toBeGreaterThan(20)
      child.kill(signal)
      const { code, stdout } = await child.run
      expect(code).toBe(0)
      const [end] = await admin.fetchTopicOffsets(topic)
      expect(JSON.parse(stdout).produced).toBe(Number(end?.high))
    },
  )

  test('an unknown topic is an error, not a new topic', async () => {
    const topic = uniqueName('missing')
    const { code, stderr } = await run('generate', '--topic', topic, '--count', '1')
    expect(code).toBe(6)
    expect(stderr).toBe(`millrace: topic ${topic} does not exist; make it with \`millrace topics create\`\n`)
    expect(await admin.listTopics()).not.toContain(topic)
  })
})

describe('send and tail', () => {
  test('a record a line, in order, with key, headers, tombstones and any bytes', async () => {
    const topic = await makeTopic()
    const bytes = Buffer.concat([
      Buffer.from('{"a":1}\n\nnull\n'),
      Buffer.from([0xff, 0x00, 0x0a]),
      Buffer.from('last'),
    ])
    const sent = await send(bytes, topic, '-k', 'k', '-H', 'a=1', '-H', 'b=x=y', '-H', 'a=2')
    expect(sent).toMatchObject({ code: 0, stdout: `sent 5 records to ${topic}\n` })
    const records = await tailAll(topic, '--from', 'beginning')
    expect(records.map((record) => record.value ?? record.valueBase64 ?? null)).toEqual([
      '{"a":1}',
      '',
      null,
      '/wA=',
      'last',
    ])
    expect(new Set(records.map(({ key, partition }) => `${key}/${partition}`)).size).toBe(1)
    expect(records[0]).toMatchObject({
      key: 'k',
      headers: [
        { name: 'a', value: '1' },
        { name: 'a', value: '2' },
        { name: 'b', value: 'x=y' },
      ],
    })
  })

  test('base64 lines are bytes', async () => {
    const topic = await makeTopic()
    await send('/wA=\nYWJj\n', topic, '--base64')
    expect((await tailAll(topic, '--from', 'beginning')).map((r) => r.valueBase64 ?? r.value).sort()).toEqual(
      ['/wA=', 'abc'],
    )
  })

  test('text lines show place, key and value', async () => {
    const topic = await makeTopic(1)
    await send('one\ntwo\n', topic, '-k', 'k')
    const { stdout } = await run('tail', topic, '--from', 'beginning', '--no-follow')
    expect(stdout).toBe('0/0 k one\n0/1 k two\n')
  })

  test('it starts at the beginning, an offset, a time or the end, and ends after n records', async () => {
    const topic = await makeTopic(1)
    await send('0\n1\n2\n', topic)
    const before = Date.now() + 1
    await expect.poll(() => Date.now()).toBeGreaterThanOrEqual(before)
    await send('3\n4\n', topic)
    const from = async (...args: string[]) =>
      (await tailAll(topic, ...args)).map(({ value }) => value).join('')
    expect(await from('--from', 'beginning')).toBe('01234')
    expect(await from('--from', '2')).toBe('234')
    expect(await from('--from', '99')).toBe('')
    expect(await from('--from', new Date(before).toISOString())).toBe('34')
    expect(await from('--from', 'end')).toBe('')
    expect(await from('-n', '2')).toBe('01')
    expect(await from('--from', '1', '-n', '2')).toBe('12')
  })

  test('it follows: what comes later is printed, until the signal', async () => {
    const topic = await makeTopic(3)
    await send('old\n', topic)
    const child = start(['tail', topic, '--from', 'beginning'], env)
    const lines: string[] = []
    child.stdout.on('data', (text: Buffer) => lines.push(...text.toString().split('\n').filter(Boolean)))
    await expect.poll(() => lines.length, { timeout: 20_000 }).toBe(1)
    await send('new\n', topic)
    await expect.poll(() => lines.length, { timeout: 20_000 }).toBe(2)
    child.kill('SIGINT')
    expect((await child.run).code).toBe(0)
    expect(lines.map((line) => line.split(' ')[2])).toEqual(['old', 'new'])
  })

  test('it ends quietly when nobody reads what it prints any more', async () => {
    const topic = await makeTopic(1)
    await send('one\n', topic)
    const child = start(['tail', topic, '--from', 'beginning'], env)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    await send('two\n', topic)
    expect(await child.run).toMatchObject({ code: 0, stderr: '' })
  })

  test('only committed records are shown: aborted ones never, open ones when they are committed', async () => {
    const topic = await makeTopic(1)
    const producer = kafka.producer({
      idempotent: true,
      transactionalId: uniqueName('tx'),
      maxInFlightRequests: 1,
    })
    await producer.connect()
    await transact(producer, topic, 'aborted', false)
    await transact(producer, topic, 'committed', true)
    const open = await producer.transaction()
    await open.send({ topic, messages: [{ value: 'open' }] })
    expect((await tailAll(topic, '--from', 'beginning')).map(({ value }) => value)).toEqual(['committed'])
    await open.commit()
    expect((await tailAll(topic, '--from', 'beginning')).map(({ value }) => value)).toEqual([
      'committed',
      'open',
    ])
    await producer.disconnect()
  })
})

const transact = async (producer: Producer, topic: string, value: string, commit: boolean) => {
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [{ value }] })
  await (commit ? transaction.commit() : transaction.abort())
}

describe('topics', () => {
  test('create makes input and own topics, list and describe show them', async () => {
    const prefixed = { ...env, MILLRACE_TOPIC_PREFIX: uniqueName('t-'), MILLRACE_PARTITIONS: '3' }
    const topics = (...args: string[]) => millrace(['topics', ...args], { env: prefixed })
    const before = JSON.parse((await topics('list', '-o', 'json')).stdout)
    expect(before.every(({ partitions }: { partitions: unknown }) => partitions === null)).toBe(true)
    expect(await topics('describe')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('millrace topics create'),
    })

    const made = await topics('create', 'user-login', '-o', 'json')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(made.stdout)).toMatchObject({ slots: 3, notes: [] })
    expect(JSON.parse(made.stdout).created).toHaveLength(9)
    expect((await topics('create')).stdout).toBe('every topic is there\n')

    const list = await topics('list')
    expect(list.stdout).toMatch(/state +\S+millrace\.user-login\.state +3 +1 +compact\n/)
    const description = JSON.parse((await topics('describe', '-o', 'json')).stdout)
    expect(description).toMatchObject({ slots: 3, problems: [] })
    expect((await topics('describe')).stdout).toMatch(/everything fits\n$/)
  })

  test('a pipeline that does not exist is named', async () => {
    const { code, stderr } = await run('topics', 'create', 'user-logn')
    expect(code).toBe(3)
    expect(stderr).toContain('did you mean user-login?')
  })
})

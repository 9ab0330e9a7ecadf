/** Guarantee: whatever bytes arrive, each record ends in a stated fate, raw bytes are kept, neighbours are unharmed. */
import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import type { TailedRecord } from '../../cli/tail.ts'
import { kafkaClient } from '../../cluster/kafka/client.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { clean, TestCluster } from '../support/cluster.ts'
import { readAll } from '../support/retries.ts'
import { useServices } from '../support/services.ts'

const good = (more: Readonly<Record<string, unknown>> = {}) => ({
  user_id: 'u1',
  app_version: '2.3.0',
  device_type: 'iOS',
  ip: '10.1.2.3',
  locale: 'TX',
  device_id: 'device-1234',
  timestamp: Math.floor(Date.now() / 1000),
  ...more,
})

interface Case {
  readonly name: string
  readonly key: Buffer | string | null
  readonly value: Buffer | string | null
  readonly headers?: Record<string, Buffer | string | (Buffer | string)[]>
  /** Error code of the letter; absent: an output. */
  readonly code?: string
}

const json = (value: unknown) => JSON.stringify(value)

const cases: readonly Case[] = [
  { name: 'a plain record', key: 'k', value: json(good()) },
  {
    name: 'invalid UTF-8',
    key: 'k',
    value: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
    code: 'not-utf8',
  },
  {
    name: 'arrays nested 10,000 deep',
    key: 'k',
    value: `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
    code: 'too-deep',
  },
  {
    name: 'a field nested 10,000 deep',
    key: 'k',
    value: `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    code: 'too-deep',
  },
  { name: '__proto__ keys', key: 'k', value: `{"__proto__":{"polluted":true},${json(good()).slice(1)}` },
  { name: 'a null key', key: null, value: json(good()) },
  { name: 'a null value', key: 'k', value: null, code: 'tombstone' },
  { name: 'an empty value', key: 'k', value: '', code: 'not-json' },
  { name: 'a value of almost 1 MB', key: 'k', value: json(good({ note: 'x'.repeat(1_000_000) })) },
  { name: 'a broken value of almost 1 MB', key: 'k', value: 'x'.repeat(1_000_000), code: 'not-json' },
  {
    name: '200 headers',
    key: 'k',
    value: 'broken',
    headers: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`h${i}`, `v${i}`])),
    code: 'not-json',
  },
  {
    name: 'duplicate header names',
    key: 'k',
    value: 'broken',
    headers: { twice: ['one', Buffer.from([0xff]), 'three'] },
    code: 'not-json',
  },
  { name: 'NaN', key: 'k', value: '{"timestamp":NaN}', code: 'not-json' },
  { name: 'an array', key: 'k', value: '[]', code: 'not-an-object' },
  { name: 'a missing field', key: 'k', value: json(good({ locale: undefined })), code: 'schema:locale' },
  { name: 'a key of invalid UTF-8', key: Buffer.from([0xff, 0x00]), value: json(good()) },
  { name: 'another plain record', key: 'k', value: json(good()) },
]

const bytesOf = (value: Buffer | string | null): Buffer | null => (value === null ? null : Buffer.from(value))

const header = (record: TailedRecord, name: string): string | undefined =>
  record.headers.find(([one]) => one === name)?.[1]?.toString()

test('hostile inputs: a stated fate each, raw bytes kept, neighbours unharmed', {
  timeout: 120_000,
}, async () => {
  const { kafka, redis } = await useServices()
  await using cluster = await TestCluster.open({ kafka, redis, partitions: 1 })
  await cluster.start(1)
  const producer = kafkaClient(cluster.settings, 'input').producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  for (const { key, value, headers } of cases)
    await producer.send({
      topic: cluster.names.input,
      messages: [{ key, value: bytesOf(value), partition: 0, ...(headers && { headers }) }],
    })
  await producer.disconnect()
  await cluster.drained(60_000)
  const outputs = await readAll(cluster, cluster.names.output ?? '')
  const letters = await readAll(cluster, cluster.names.deadLetters)
  for (const [offset, one] of cases.entries()) {
    const origin = `${cluster.names.input}/0/${offset}`
    const fates = [...outputs, ...letters].filter((record) => header(record, HEADER.origin) === origin)
    expect(fates, one.name).toHaveLength(1)
    const [fate] = fates
    if (fate === undefined) continue
    expect(header(fate, HEADER.errorCode), one.name).toBe(one.code)
    expect(fate.key, one.name).toEqual(bytesOf(one.key))
    if (one.code !== undefined) expect(fate.value, one.name).toEqual(bytesOf(one.value))
  }
  const many = letters.find((record) => header(record, 'h199') === 'v199')
  expect(many?.headers.filter(([name]) => /^h\d+$/.test(name))).toHaveLength(200)
  const twice = letters.flatMap((record) =>
    record.headers.filter(([name]) => name === 'twice').map(([, value]) => value),
  )
  expect(twice).toEqual([Buffer.from('one'), Buffer.from([0xff]), Buffer.from('three')])
  const proto = outputs.find((record) => record.value?.includes('polluted'))
  expect(JSON.parse(proto?.value?.toString() ?? '{}')).toHaveProperty(['__proto__'])
  expect(await cluster.audit()).toMatchObject({ ...clean, produced: cases.length })
})

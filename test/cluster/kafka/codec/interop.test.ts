/** Batches of librdkafka and of the Java client on a real broker, read by us; ours read by both. */
import { resolve } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { aptInstall } from '../../../../cli/services/apt.ts'
import { ensureKafkaInstall } from '../../../../cli/services/native.ts'
import { which } from '../../../../cli/services/tools.ts'
import { verifyCrc } from '../../../../cluster/kafka/codec/decode.ts'
import { readHeader } from '../../../../cluster/kafka/codec/header.ts'
import { type DecodedRecord, decodeAll, encodeBatch } from '../../../../cluster/kafka/codec/records.ts'
import { stamp } from '../../../../cluster/kafka/codec/stamp.ts'
import { readSettings } from '../../../../cluster/settings.ts'
import { uniqueName, useServices } from '../../../support/services.ts'
import {
  codecs,
  type JavaClient,
  javaConsume,
  javaProduce,
  type Kcat,
  kcatConsume,
  kcatProduce,
  type TextRecord,
} from './foreign-clients.ts'
import { fetch, produce } from './raw-broker.ts'

const ci = process.env.CI === 'true'
const findKcat = (): string | undefined => which('kcat') ?? which('kafkacat')

// Most of the time is the start of a Java machine, several times slower beside other tests.
vi.setConfig({ testTimeout: 90_000 })

let broker = ''
let client: JavaClient
const kcat = (): Kcat => ({ command: findKcat() ?? 'kcat', address: broker })

beforeAll(async () => {
  if (ci && findKcat() === undefined) await aptInstall(['kcat'], { yes: true, log: console.log })
  const install = await ensureKafkaInstall(resolve(readSettings({}).dataDir), console.log)
  broker = (await useServices()).kafka[0] ?? ''
  client = { install, address: broker }
})

const makeTopic = async (prefix: string, config: Record<string, string> = {}): Promise<string> => {
  const topic = uniqueName(prefix)
  const admin = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] })
  await admin.disconnect()
  return topic
}

/** Everything in the topic; each batch must have a right checksum and the expected compression, one many records. */
const readTopic = async (topic: string, codec: number): Promise<DecodedRecord[]> => {
  const records: DecodedRecord[] = []
  let most = 0
  for (let offset = 0; ; ) {
    const bytes = await fetch(broker, topic, offset)
    if (bytes.length === 0) break
    for (let header = readHeader(bytes, 0); header !== undefined; header = readHeader(bytes, header.end)) {
      expect(header.codec).toBe(codec)
      expect(verifyCrc(bytes, header)).toBe(true)
      offset = header.lastOffset + 1
      most = Math.max(most, header.count)
    }
    records.push(...decodeAll(bytes))
  }
  expect(most).toBeGreaterThan(1000)
  return records
}

const plain = (records: readonly DecodedRecord[]): TextRecord[] =>
  records.map(({ key, value, headers }) => ({
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: headers.map(([name, content]) => [name, content?.toString() ?? '']),
  }))

const many = Array.from({ length: 60 }, (_, i) => [`name-${i % 20}`, `värde ${i}`] as const)
/** Enough for several blocks of any compression, and for several batches. */
const records = (headersOf: (i: number) => TextRecord['headers']): TextRecord[] =>
  Array.from({ length: 4000 }, (_, i) => ({
    key: i % 7 === 0 ? null : `key-${i}`,
    value: i % 11 === 0 ? null : `{"n":${i},"text":"日本 ${'naïve '.repeat(i % 40)}${(i * 7919) % 10007}"}`,
    headers: headersOf(i),
  }))

describe('the Java client', () => {
  test.each(codecs.map((codec, id) => [codec, id] as const))('writes with %s, we read', async (codec, id) => {
    const topic = await makeTopic(`java-${codec}`)
    const sent = records((i) => (i % 3 === 0 ? [] : i % 500 === 1 ? many : [['h', `${i}`]]))
    await javaProduce(client, topic, codec, sent)
    const received = await readTopic(topic, id)
    expect(received.map((r) => r.offset)).toEqual(sent.map((_, i) => i))
    expect(plain(received)).toEqual(sent)
  })

  test('writes, the broker stamps the time, we read that time', async () => {
    const topic = await makeTopic('append-time', { 'message.timestamp.type': 'LogAppendTime' })
    const before = Date.now()
    await javaProduce(client, topic, 'lz4', records(() => []).slice(0, 10))
    const bytes = await fetch(broker, topic, 0)
    expect(readHeader(bytes, 0)?.timestampType).toBe(1)
    for (const { timestamp } of decodeAll(bytes)) {
      expect(timestamp).toBeGreaterThanOrEqual(before)
      expect(timestamp).toBeLessThanOrEqual(Date.now())
    }
  })
})

describe.skipIf(!ci && findKcat() === undefined)(
  'librdkafka (skipped without kcat: apt-get install kcat)',
  () => {
    test.each(codecs.map((codec, id) => [codec, id] as const))(
      'writes with %s, we read',
      async (codec, id) => {
        const topic = await makeTopic(`kcat-${codec}`)
        const sent = records(() => many.slice(0, 3))
        const extreme = records(() => many).slice(0, 20)
        await kcatProduce(kcat(), topic, codec, sent)
        await kcatProduce(kcat(), topic, codec, extreme)
        const received = await readTopic(topic, id)
        expect(plain(received)).toEqual([...sent, ...extreme])
      },
    )
  },
)

test('a fetch that cuts a batch gives the whole ones before it', async () => {
  const topic = await makeTopic('cut')
  const batch = encodeBatch([{ timestamp: 1, key: null, value: 'x'.repeat(1000) }], { transactional: false })
  if (batch === undefined) throw new Error('a batch was expected')
  stamp(batch.bytes, -1, -1, -1)
  for (let i = 0; i < 3; i++) await produce(broker, topic, batch.bytes)
  const bytes = await fetch(broker, topic, 0, 2500)
  expect(bytes).toHaveLength(2500)
  expect(decodeAll(bytes).map((r) => r.offset)).toEqual([0, 1])
})

const base = 1_700_000_000_000
const ours = [
  { timestamp: base, key: 'k', value: 'plain', headers: [['one', '1']] },
  { timestamp: base + 70_000, key: null, value: null, headers: [] },
  {
    timestamp: base - 5,
    key: '',
    value: '',
    headers: [
      ['', ''],
      ['dup', 'a'],
      ['dup', 'b'],
      ['null', null],
    ],
  },
  {
    timestamp: base + 1,
    key: 'ключ',
    value: `日本 😀 ${'é'.repeat(5000)}`,
    headers: many.concat(many, many, many),
  },
  { timestamp: base - 2 ** 33, key: 'old', value: 'long ago', headers: [] },
  ...Array.from({ length: 3000 }, (_, i) => ({
    timestamp: base + i,
    key: `k${i}`,
    value: `v${i}`,
    headers: [],
  })),
] satisfies Parameters<typeof encodeBatch>[0]

/** Two batches of the same records. */
const writeOurs = async (prefix: string): Promise<string> => {
  const topic = await makeTopic(prefix)
  const batch = encodeBatch(ours, { transactional: false })
  if (batch === undefined) throw new Error('a batch was expected')
  stamp(batch.bytes, -1, -1, -1)
  expect(await produce(broker, topic, batch.bytes)).toBe(0)
  expect(await produce(broker, topic, batch.bytes)).toBe(ours.length)
  return topic
}
const twice = [...ours, ...ours]

test('the Java client reads what we write', async () => {
  const topic = await writeOurs('ours-java')
  const headersOf = (headers: (typeof ours)[number]['headers']): string =>
    headers.map(([name, value]) => `${name}:${value ?? '<null>'}`).join(',') || 'NO_HEADERS'
  expect(await javaConsume(client, topic, twice.length)).toEqual(
    twice.map((r, offset) =>
      [
        `CreateTime:${r.timestamp}`,
        `Offset:${offset}`,
        headersOf(r.headers),
        r.key ?? '<null>',
        r.value ?? '<null>',
      ].join('\t'),
    ),
  )
})

test.skipIf(!ci && findKcat() === undefined)(
  'librdkafka reads what we write (skipped without kcat)',
  async () => {
    const topic = await writeOurs('ours-kcat')
    const read = await kcatConsume(kcat(), topic)
    expect(read.map((r) => [r.offset, r.ts, r.key, r.payload, r.headers ?? []])).toEqual(
      twice.map((r, offset) => [offset, r.timestamp, r.key, r.value, r.headers.flat()]),
    )
  },
)

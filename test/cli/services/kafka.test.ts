import { Kafka, logLevel, type Producer } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { kafkaAnswers } from '../../../cli/services/ready.ts'
import { kafkaTool, startOwnKafka, uniqueName, useServices } from '../../support/services.ts'

const client = (brokers: readonly string[], retries = 20) =>
  new Kafka({
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries },
  })

const withAdmin = async <T>(
  brokers: readonly string[],
  use: (admin: ReturnType<Kafka['admin']>) => Promise<T>,
) => {
  const admin = client(brokers).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

const produce = async (brokers: readonly string[], use: (producer: Producer) => Promise<unknown>) => {
  const producer = client(brokers).producer({ idempotent: true })
  await producer.connect()
  await use(producer)
  await producer.disconnect()
}

const endOffset = (brokers: readonly string[], topic: string) =>
  withAdmin(brokers, async (admin) => (await admin.fetchTopicOffsets(topic))[0]?.high)

test('the shared broker answers, makes no topic by itself, and its own tools run on it', async () => {
  const { kafka } = await useServices()
  const topic = uniqueName('services')
  await withAdmin(kafka, async (admin) => {
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
    await admin.setOffsets({ groupId: topic, topic, partitions: [{ partition: 0, offset: '0' }] })
  })
  await produce(kafka, (producer) => producer.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] }))
  const main = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
  const args = ['--bootstrap-server', kafka.join(), '--describe', '--group', topic]
  const { stdout, code } = await kafkaTool(main, args)
  expect(code).toBe(0)
  expect(stdout).toMatch(new RegExp(`${topic}\\s+${topic}\\s+0\\s+0\\s+2\\s+2`))
  const strict = client(kafka, 0).producer()
  await strict.connect()
  await expect(strict.send({ topic: uniqueName('absent'), messages: [{ value: 'a' }] })).rejects.toThrow()
  await strict.disconnect()
}, 60_000)

test('a broker that was killed comes back on the same port with what it had confirmed', async () => {
  await using cluster = await startOwnKafka()
  const [broker] = cluster.brokers
  const topic = uniqueName('kill')
  await withAdmin(cluster.addresses, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }))
  await produce(cluster.addresses, (producer) =>
    producer.send({ topic, acks: -1, messages: [{ value: 'a' }] }),
  )
  await broker?.kill()
  expect(broker?.running()).toBe(false)
  expect(await kafkaAnswers(cluster.addresses[0] ?? '', 1)).toBe(false)
  await broker?.start()
  expect(await endOffset(cluster.addresses, topic)).toBe('1')
}, 60_000)

test('a frozen broker is stopped all the same', async () => {
  await using cluster = await startOwnKafka()
  const [broker] = cluster.brokers
  broker?.signal('SIGSTOP')
  await broker?.stop()
  expect(broker?.running()).toBe(false)
}, 60_000)

test('a broker that does not start says why', async () => {
  await expect(startOwnKafka({ properties: { 'num.io.threads': 'many' } })).rejects.toMatchObject({
    code: 'services',
    message: expect.stringContaining('num.io.threads'),
  })
}, 60_000)

describe('three brokers', () => {
  test('confirm with two in sync, and go on when a leader is killed', async () => {
    await using cluster = await startOwnKafka({ brokers: 3, heapMb: 256 })
    const topic = uniqueName('three')
    const leader = await withAdmin(cluster.addresses, async (admin) => {
      await admin.createTopics({
        topics: [{ topic, numPartitions: 1, replicationFactor: 3 }],
        waitForLeaders: true,
      })
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]?.partitions[0]?.leader
    })
    await produce(cluster.addresses, async (producer) => {
      await producer.send({ topic, acks: -1, messages: [{ value: 'before' }] })
      await cluster.brokers.find(({ id }) => id === leader)?.kill()
      await producer.send({ topic, acks: -1, messages: [{ value: 'after' }] })
    })
    expect(await endOffset(cluster.addresses, topic)).toBe('2')
  }, 120_000)
})

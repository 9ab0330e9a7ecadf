/**
 * The plain kafkajs loop, as its documentation suggests it: `eachBatch` + `sendBatch`, every replica confirms, the group's
 * offsets are committed after each batch. At least once: a crash between the two repeats a batch.
 * Tuned in its favour: see docs/benchmarks.md.
 */
import { type EachBatchPayload, Kafka, logLevel, type Message } from 'kafkajs'
import { Clock, jobOf, tell } from './child.ts'
import { handle, LoginCounts } from './login-loop.ts'

const MAX_BYTES_PER_PARTITION = 256 * 1024
const PARTITIONS_AT_ONCE = 4

const job = jobOf(process.argv[2])
const kafka = new Kafka({ brokers: [...job.brokers], clientId: 'bench-loop', logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({ groupId: job.name, maxBytesPerPartition: MAX_BYTES_PER_PARTITION })
const producer = kafka.producer({ allowAutoTopicCreation: false })
const counts = new LoginCounts()

const eachBatch = async ({ batch }: EachBatchPayload): Promise<void> => {
  const { partition } = batch
  const now = Date.now()
  const outputs: Message[] = []
  const letters: Message[] = []
  for (const { key, value, timestamp } of batch.messages) {
    const handled = handle(value, now)
    if ('code' in handled) letters.push({ key, value, headers: { error: handled.code } })
    else {
      counts.add(handled.login)
      outputs.push({ key, value: handled.json, timestamp, partition })
    }
  }
  const topicMessages = [
    { topic: job.output, messages: outputs },
    { topic: job.deadLetters, messages: letters },
  ].filter(({ messages }) => messages.length > 0)
  await producer.sendBatch({ topicMessages, acks: -1 })
}

const clock = new Clock()
const finished = Promise.withResolvers<void>()
const committed = new Map<number, number>()
consumer.on('consumer.group_join', () => clock.start())
consumer.on('consumer.commit_offsets', ({ payload }) => {
  for (const { partitions } of payload.topics)
    for (const { partition, offset } of partitions) committed.set(Number(partition), Number(offset))
  if ([...committed.values()].reduce((sum, offset) => sum + offset, 0) >= job.records) finished.resolve()
})
consumer.on('consumer.crash', ({ payload }) => finished.reject(payload.error))

await producer.connect()
await consumer.connect()
await consumer.subscribe({ topics: [job.input], fromBeginning: true })
await consumer.run({ partitionsConsumedConcurrently: PARTITIONS_AT_ONCE, eachBatch })
await finished.promise
clock.stop()
tell({
  kind: 'measured',
  measured: clock.measured({ device_type: counts.total('device_type'), locale: counts.total('locale') }),
})
await consumer.disconnect()
await producer.disconnect()
process.disconnect?.()

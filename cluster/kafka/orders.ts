/** Writing an order: a plain idempotent produce. Nothing fences it; orders name an id, so that a repeat changes nothing. */
import { randomUUID } from 'node:crypto'
import { type Kafka, Partitioners } from 'kafkajs'
import { type FlushOrder, flushKey } from '../protocol/orders.ts'
import { PROTOCOL_VERSION } from '../protocol/plan.ts'
import { adminFailure } from './admin-failures.ts'

/** @throws MillraceError where Kafka does not take it */
export const appendFlush = async (kafka: Kafka, topic: string, pipeline: string): Promise<FlushOrder> => {
  const order = { version: PROTOCOL_VERSION, pipeline, id: randomUUID() }
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  try {
    const messages = [{ key: flushKey(pipeline), value: JSON.stringify(order), partition: 0 }]
    await producer.send({ topic, acks: -1, messages })
    return order
  } catch (error) {
    throw adminFailure(`cannot write the order to ${topic}`, error)
  } finally {
    await producer.disconnect()
  }
}

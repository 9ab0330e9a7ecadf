/** Producing from the command line: kafkajs's producer, idempotent where every replica confirms. */
import { Partitioners, type Producer } from 'kafkajs'
import { MillraceError } from '../cluster/errors.ts'
import { describeTopic } from '../cluster/kafka/admin.ts'
import { adminFailure } from '../cluster/kafka/admin-failures.ts'
import { kafkaClient, type Which } from '../cluster/kafka/client.ts'
import { pause } from '../cluster/kafka/failures.ts'
import type { Settings } from '../cluster/settings.ts'
import { dueNow, type Pace, waitFor } from './pace.ts'

export interface OutgoingRecord {
  readonly key: string | Buffer | null
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, string[]>>
}

export const acksOf = { all: -1, '1': 1, '0': 0 } as const
export type Acks = keyof typeof acksOf

export interface TopicProducer {
  /** Resolves when Kafka has confirmed all of them. */
  send(records: readonly OutgoingRecord[]): Promise<void>
}

/** @throws MillraceError `topic-missing` */
export const withProducer = async <T>(
  settings: Settings,
  target: { readonly topic: string; readonly which: Which; readonly acks: Acks },
  use: (producer: TopicProducer) => Promise<T>,
): Promise<T> => {
  const { topic, acks } = target
  const kafka = kafkaClient(settings, target.which)
  await requireTopic(kafka.admin(), topic)
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: acks === 'all',
  })
  await producer.connect()
  try {
    return await use({ send: (records) => sendAll(producer, topic, acks, records) })
  } finally {
    await producer.disconnect()
  }
}

const requireTopic = async (admin: ReturnType<ReturnType<typeof kafkaClient>['admin']>, topic: string) => {
  await admin.connect()
  try {
    if ((await describeTopic(admin, topic)) === undefined)
      throw new MillraceError('topic-missing', `topic ${topic} does not exist`)
  } finally {
    await admin.disconnect()
  }
}

const sendAll = async (producer: Producer, topic: string, acks: Acks, records: readonly OutgoingRecord[]) => {
  try {
    await producer.send({
      topic,
      acks: acksOf[acks],
      messages: records.map((record) => ({ ...record, headers: record.headers ?? {} })),
    })
  } catch (error) {
    throw adminFailure(`cannot write to ${topic}`, error)
  }
}

/** Sends at the pace until the count is reached or the signal aborts. @returns how many were confirmed, in how many ms */
export const sendPaced = async (
  producer: TopicProducer,
  next: () => OutgoingRecord,
  pace: Pace,
  options: { readonly signal: AbortSignal; readonly sent?: (sent: number, elapsed: number) => void },
): Promise<{ readonly sent: number; readonly elapsed: number }> => {
  const started = performance.now()
  let sent = 0
  while (sent < pace.count && !options.signal.aborted) {
    const elapsed = performance.now() - started
    const due = dueNow(pace, sent, elapsed)
    if (due === 0) {
      await pause(waitFor(pace, sent, elapsed), options.signal)
      continue
    }
    await producer.send(Array.from({ length: due }, next))
    sent += due
    options.sent?.(sent, performance.now() - started)
  }
  return { sent, elapsed: performance.now() - started }
}

/** Dead letters as a worker writes them, without a worker; and records of any topic, read back. */
import kafkajs from 'kafkajs'
import { type TailedRecord, tail } from '../../cli/tail.ts'
import { kafkaClient, type Which } from '../../cluster/kafka/client.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import type { Settings } from '../../cluster/settings.ts'

export interface PlantedLetter {
  readonly key: string | Buffer | null
  readonly value: string | Buffer | null
  /** `topic/partition/offset`. */
  readonly origin: string
  readonly pipeline: string
  readonly code: string
  readonly message?: string
  readonly partition?: number
  readonly failedAt?: string
  /** The record's own, behind Millrace's. */
  readonly headers?: Readonly<Record<string, string>>
}

export const messageOfLetter = (letter: PlantedLetter) => ({
  key: letter.key,
  value: letter.value === null ? null : Buffer.from(letter.value),
  partition: letter.partition ?? 0,
  headers: {
    [HEADER.origin]: letter.origin,
    [HEADER.pipeline]: letter.pipeline,
    [HEADER.errorCode]: letter.code,
    [HEADER.errorMessage]: letter.message ?? '',
    [HEADER.attempts]: '1',
    [HEADER.failedAt]: letter.failedAt ?? new Date().toISOString(),
    ...letter.headers,
  },
})

export type Message = Omit<ReturnType<typeof messageOfLetter>, 'headers'> & {
  readonly headers?: Record<string, string>
}

export const produce = async (
  settings: Settings,
  target: { readonly topic: string; readonly which: Which },
  messages: readonly Message[],
): Promise<void> => {
  const producer = kafkaClient(settings, target.which).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  try {
    for (let start = 0; start < messages.length; start += 2000)
      await producer.send({ topic: target.topic, messages: messages.slice(start, start + 2000) })
  } finally {
    await producer.disconnect()
  }
}

/** Committed records, in the order of each partition. */
export const recordsOf = async (
  settings: Settings,
  target: { readonly topic: string; readonly which: Which },
): Promise<readonly TailedRecord[]> => {
  const found: TailedRecord[] = []
  const { signal } = new AbortController()
  const options = {
    from: { at: 'beginning' },
    most: Number.POSITIVE_INFINITY,
    follow: false,
    signal,
  } as const
  await tail(settings, target, options, (record) => found.push(record))
  return found
}

export const headerOf = (record: TailedRecord, name: string): string | undefined =>
  record.headers.find(([one]) => one === name)?.[1]?.toString()

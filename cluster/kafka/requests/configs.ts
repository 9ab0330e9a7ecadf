/** DescribeConfigs v1: settings of topics, for readers that hold no kafkajs admin. */
import { ByteReader, ByteWriter } from '../bytes.ts'
import type { RawRequest, Throttled } from '../seam.ts'

const TOPIC = 2

export interface DescribedConfigs {
  readonly code: number
  readonly topic: string
  /** What counts, defaults of the broker included. */
  readonly configs: Readonly<Record<string, string>>
}

/** @param names of the settings */
export const describeConfigsRequest = (
  topics: readonly string[],
  names: readonly string[],
): RawRequest<Throttled & { topics: DescribedConfigs[] }> => {
  const out = new ByteWriter()
  out.array(topics, (topic) => {
    out
      .int8(TOPIC)
      .string(topic)
      .array(names, (name) => out.string(name))
  })
  out.bool(false)
  return { apiKey: 32, apiVersion: 1, name: 'DescribeConfigs', body: out.segments(), decode }
}

const decode = (payload: Buffer): Throttled & { topics: DescribedConfigs[] } => {
  const reply = new ByteReader(payload)
  const throttleMs = reply.int32()
  const topics = reply.array(() => {
    const code = reply.int16()
    reply.string()
    reply.int8()
    const topic = reply.string() ?? ''
    return { code, topic, configs: Object.fromEntries(reply.array(() => readEntry(reply))) }
  })
  return { throttleMs, topics }
}

const readEntry = (reply: ByteReader): readonly [string, string] => {
  const name = reply.string() ?? ''
  const value = reply.string() ?? ''
  reply.bool()
  reply.int8()
  reply.bool()
  reply.array(() => [reply.string(), reply.string(), reply.int8()])
  return [name, value]
}

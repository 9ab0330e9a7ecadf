/** Where outputs and letters go, decided from what the topics are: pure. */
import type { TopicDescription } from '../cluster/kafka/topics.ts'
import type { Names } from '../cluster/protocol/names.ts'
import type { Meta } from '../cluster/protocol/state.ts'
import type { Destination } from './task.ts'

export interface Destinations {
  readonly output: Destination | undefined
  readonly letters: Destination
  /** Of a new pipeline; later the state's own word counts, so that an input that grows keeps its order. */
  readonly birthMapping: Meta['outputMapping']
  readonly maxStateBytes: number
  readonly insights:
    | { readonly topic: string; readonly partitions: number; readonly maxBytes: number }
    | undefined
  /** A parked record, and what came of it, must fit the state and the retried topic. */
  readonly maxParkedBytes: number
}

/** @param topics by name, as `ensureTopics` found or made them */
export const destinationsOf = (
  names: Names,
  input: TopicDescription,
  topics: ReadonlyMap<string, TopicDescription>,
): Destinations => {
  const output = names.output === undefined ? undefined : destination(found(topics, names.output))
  const letters = destination(found(topics, names.deadLetters))
  const birthMapping = output === undefined ? 'none' : output.partitions === input.partitions ? 'same' : 'key'
  return {
    output,
    letters,
    birthMapping,
    maxStateBytes: maxBytes(found(topics, names.state)),
    insights: names.insights === undefined ? undefined : insightsTo(found(topics, names.insights)),
    maxParkedBytes:
      Math.min(maxBytes(found(topics, names.state)), maxBytes(found(topics, names.retried))) - AROUND_PARKED,
  }
}

/** Batch, key and the line of JSON before the record. */
const AROUND_PARKED = 16 * 1024

const found = (topics: ReadonlyMap<string, TopicDescription>, name: string): TopicDescription => {
  const topic = topics.get(name)
  if (topic === undefined) throw new Error(`${name} was not described`)
  return topic
}

const KAFKA_DEFAULT_MAX_BYTES = 1_048_588

const maxBytes = (topic: TopicDescription): number =>
  Number(topic.configs['max.message.bytes'] ?? KAFKA_DEFAULT_MAX_BYTES)

const insightsTo = (topic: TopicDescription) => ({
  topic: topic.name,
  partitions: topic.partitions,
  maxBytes: maxBytes(topic),
})

const destination = (topic: TopicDescription): Destination => ({
  topic: topic.name,
  partitions: topic.partitions,
  maxBatchBytes: maxBytes(topic),
  maxAhead: maxAhead(topic),
  logAppendTime: isLogAppendTime(topic),
})

const isLogAppendTime = ({ configs }: TopicDescription): boolean =>
  configs['message.timestamp.type'] === 'LogAppendTime'

/** Where the broker writes its own time, it looks at nobody's. */
const maxAhead = (topic: TopicDescription): number =>
  isLogAppendTime(topic)
    ? Number.MAX_SAFE_INTEGER
    : Number(topic.configs['message.timestamp.after.max.ms'] ?? Number.MAX_SAFE_INTEGER)

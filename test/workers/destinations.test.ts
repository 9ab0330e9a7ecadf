import { describe, expect, test } from 'vitest'
import type { TopicDescription } from '../../cluster/kafka/topics.ts'
import { destinationsOf } from '../../workers/destinations.ts'
import { names } from './support/results.ts'

const topic = (name: string, partitions: number, configs: Record<string, string> = {}): TopicDescription => ({
  name,
  partitions,
  replication: 1,
  configs,
})
const input = topic('in', 4)
const topics = (...more: TopicDescription[]) =>
  new Map(
    [topic('out', 4), topic('dlq', 4), topic(names.state, 4), topic(names.retried, 4), ...more].map((one) => [
      one.name,
      one,
    ]),
  )

describe('where outputs and letters go', () => {
  test('as many partitions as the input: the same partition; else by key', () => {
    expect(destinationsOf(names, input, topics()).birthMapping).toBe('same')
    expect(destinationsOf(names, input, topics(topic('out', 3))).birthMapping).toBe('key')
  })

  test('a pipeline without an output topic has none', () => {
    const { output, birthMapping } = destinationsOf({ ...names, output: undefined }, input, topics())
    expect([output, birthMapping]).toEqual([undefined, 'none'])
  })

  test('limits are those of each topic, or the broker defaults', () => {
    const limited = destinationsOf(
      names,
      input,
      topics(
        topic('out', 4, { 'max.message.bytes': '2000', 'message.timestamp.after.max.ms': '3600000' }),
        topic(names.state, 4, { 'max.message.bytes': '7000' }),
      ),
    )
    expect(limited.output).toEqual({
      topic: 'out',
      partitions: 4,
      maxBatchBytes: 2000,
      maxAhead: 3_600_000,
      logAppendTime: false,
    })
    expect(limited.maxStateBytes).toBe(7000)
    expect(limited.maxParkedBytes).toBeLessThan(7000)
    expect(limited.letters.maxBatchBytes).toBe(1_048_588)
    expect(limited.letters.maxAhead).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('a topic that writes its own time takes any timestamp', () => {
    const configs = { 'message.timestamp.type': 'LogAppendTime', 'message.timestamp.after.max.ms': '1000' }
    expect(destinationsOf(names, input, topics(topic('dlq', 4, configs))).letters.maxAhead).toBe(
      Number.MAX_SAFE_INTEGER,
    )
  })

  test('a topic that nobody described is a fault, not a guess', () => {
    expect(() => destinationsOf(names, input, new Map())).toThrow('out was not described')
  })
})

/** Connects what a worker process needs for its retries: the queue, a consumer of its own, a producer, a place to read results. */
import type { Redis } from 'ioredis'
import { Partitioners } from 'kafkajs'
import type { EventBus } from '../cluster/events.ts'
import { kafkaClient } from '../cluster/kafka/client.ts'
import type { Names } from '../cluster/protocol/names.ts'
import { redisTls } from '../cluster/redis/client.ts'
import { consumeRetries, queuePlace, retryQueue } from '../cluster/redis/retry-queue.ts'
import type { Settings } from '../cluster/settings.ts'
import type { RetryParts } from '../workers/retries/retries.ts'
import { connectTopology } from './host.ts'

export interface RetriesOf {
  readonly settings: Settings
  readonly names: Names
  /** The pipeline's, or what `--as` renamed it to. */
  readonly name: string
  readonly worker: string
  readonly redis: Redis
  readonly events: EventBus
}

export const connectRetries = async (
  options: RetriesOf,
): Promise<{ readonly parts: RetryParts; readonly close: () => Promise<void> }> => {
  const { settings, names, name, worker, redis, events } = options
  const returns = await connectTopology(settings, 'home', `${worker}-retries`)
  await returns.topic(names.retried)
  const producer = kafkaClient(settings, 'home').producer({
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  const place = queuePlace(settings.clusterId, name, settings.topicPrefix)
  const queue = retryQueue(redis, place, events)
  const { redisUrl: url, retryConcurrency: concurrency } = settings
  return {
    parts: {
      queue,
      producer,
      returns,
      consume: (run) => consumeRetries({ url, ...redisTls(settings), place, concurrency, run, events }),
    },
    close: async () => {
      await Promise.all([producer.disconnect(), returns.connections.close()])
      // It shares the worker's client: nothing is left open where Redis is away.
      await queue.close().catch(() => undefined)
    },
  }
}

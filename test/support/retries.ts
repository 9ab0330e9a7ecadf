/** What tests of retries wait for and look at. */
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { withProducer } from '../../cli/produce.ts'
import { type TailedRecord, tail } from '../../cli/tail.ts'
import type { SlotReport } from '../../cluster/protocol/plan.ts'
import type { RetryData } from '../../cluster/protocol/retries.ts'
import { queuePlace } from '../../cluster/redis/retry-queue.ts'
import { type TestCluster, until } from './cluster.ts'

/** Reports of all slots, from one look; undefined where one is missing or does not run. */
const running = async (cluster: TestCluster): Promise<readonly SlotReport[] | undefined> => {
  const reports = await cluster.reports()
  const slots = reports[0]?.slots
  const owned = reports.flatMap((report) => report.owned.filter(({ state }) => state === 'running'))
  return slots !== undefined && new Set(owned.map(({ slot }) => slot)).size === slots ? owned : undefined
}

/** Undefined while a slot is on its way from one worker to another. */
export const parkedNow = async (cluster: TestCluster): Promise<number | undefined> =>
  (await running(cluster))?.reduce((sum, { counters }) => sum + counters.parked, 0)

/** Every slot runs and nothing waits for another run. */
export const unparked = (cluster: TestCluster, deadlineMs: number): Promise<void> =>
  until('nothing is parked', deadlineMs, async () => (await parkedNow(cluster)) === 0)

/** At least that many wait. */
export const parkedUpTo = (cluster: TestCluster, count: number, deadlineMs: number): Promise<void> =>
  until(`${count} records are parked`, deadlineMs, async () => ((await parkedNow(cluster)) ?? 0) >= count)

/** The queue as a person with a dashboard has it. */
export const openQueue = (
  cluster: TestCluster,
): Queue<RetryData> & AsyncDisposable & { readonly redis: Redis } => {
  const { settings, pipeline } = cluster
  const { name, prefix } = queuePlace(settings.clusterId, pipeline.name, settings.topicPrefix)
  const redis = new Redis(settings.redisUrl, { maxRetriesPerRequest: null })
  const queue = new Queue<RetryData>(name, { connection: redis, prefix })
  return Object.assign(queue, {
    redis,
    [Symbol.asyncDispose]: async () => {
      await queue.close()
      redis.disconnect()
    },
  })
}

export const produceValues = (cluster: TestCluster, values: readonly object[]): Promise<void> =>
  withProducer(
    cluster.settings,
    { topic: cluster.names.input, which: 'input', acks: 'all' },
    async (producer) => {
      await producer.send(
        values.map((value, i) => ({ key: `k${i}`, value: Buffer.from(JSON.stringify(value)) })),
      )
    },
  )

/** Results that were sent to the shards, also those that count for nothing. */
export const resultsSent = async (cluster: TestCluster): Promise<number> => {
  const { input, names } = cluster
  const slots = (await input.topic(names.retried)).partitions.map(({ partition }) => partition)
  return [...(await input.ends(names.retried, slots)).values()].reduce((sum, end) => sum + end, 0)
}

/** All that committed readers see of a topic of the home cluster. */
export const readAll = async ({ settings }: TestCluster, topic: string): Promise<readonly TailedRecord[]> => {
  const found: TailedRecord[] = []
  const options = {
    from: { at: 'beginning' },
    most: Number.POSITIVE_INFINITY,
    follow: false,
    signal: new AbortController().signal,
  } as const
  await tail(settings, { topic, which: 'home' }, options, (record) => found.push(record))
  return found
}

export const headerOf = ({ headers }: TailedRecord, name: string): string | undefined =>
  headers.find(([one]) => one === name)?.[1]?.toString()

/** That the keys in Redis are this installation's: asked by whoever writes there, before anything is made. */
import type { Admin } from 'kafkajs'
import { MillraceError } from '../cluster/errors.ts'
import { describeCluster } from '../cluster/kafka/admin.ts'
import { closeRedis, connectRedis } from '../cluster/redis/client.ts'
import { claimHome, forgetHome, type Home } from '../cluster/redis/home.ts'
import { keysOf } from '../cluster/redis/keys.ts'
import type { Settings } from '../cluster/settings.ts'
import { withAdmins } from './admins.ts'
import { redisEvents } from './connect.ts'

type Redis = Awaited<ReturnType<typeof connectRedis>>

/**
 * Redis away tells nothing: work goes on without it, and the leader claims the keys when it is back.
 * @param admin of the home cluster
 * @throws MillraceError `redis-conflict`
 */
export const requireHome = async (
  { clusterId, topicPrefix }: Settings,
  { redis, admin }: { readonly redis: Redis; readonly admin: Admin },
): Promise<Home> => {
  const { clusterId: kafka } = await describeCluster(admin)
  const home = { kafka, topicPrefix }
  await claimHome(redis, keysOf(clusterId), home).catch((error: unknown) => {
    if (error instanceof MillraceError) throw error
  })
  return home
}

/** For a supervisor: before it starts a process, so that one line comes once. */
export const requireHomeFirst = async (settings: Settings): Promise<void> => {
  const redis = await connectRedis(settings, { events: redisEvents() })
  try {
    await withAdmins(settings, ({ home: admin }) => requireHome(settings, { redis, admin }))
  } finally {
    closeRedis(redis)
  }
}

/**
 * Local services were made anew. A Redis of theirs is empty; a given one still says that its keys are of the Kafka that is gone.
 * @param asked as the settings were before the services' addresses came in
 */
export const forgetGone = async (asked: Settings, settings: Settings): Promise<void> => {
  if (asked.redisUrl === '' || asked.kafkaBrokers.length > 0 || asked.homeBrokers.length > 0) return
  const redis = await connectRedis(settings)
  try {
    await forgetHome(redis, keysOf(settings.clusterId))
  } finally {
    closeRedis(redis)
  }
}

/**
 * Whose the keys of a cluster id are: the Kafka cluster and the topic prefix of the first who claimed them. Two installations
 * under one cluster id would take each other's workers for their own, and show each other's numbers.
 */
import type { Redis } from 'ioredis'
import { MillraceError } from '../errors.ts'
import type { Keys } from './keys.ts'
import { runScript, scripts } from './scripts.ts'

export interface Home {
  /** Kafka's own id of the cluster that holds outputs and state. */
  readonly kafka: string
  readonly topicPrefix: string
}

/** An id holds no space, a prefix may be empty. */
const textOf = ({ kafka, topicPrefix }: Home): string => `${kafka} ${topicPrefix}`

const homeOf = (text: string): Home => {
  const [kafka = '', topicPrefix = ''] = text.split(' ')
  return { kafka, topicPrefix }
}

/** @throws MillraceError `redis-conflict` where the keys are another installation's */
export const claimHome = async (redis: Redis, keys: Keys, own: Home): Promise<void> => {
  const claimed = await runScript(redis, scripts.homeClaim, [keys.home], [textOf(own)])
  if (typeof claimed === 'string' && claimed !== textOf(own))
    throw conflict(redis, keys, own, homeOf(claimed))
}

/** Of one who has just made the Kafka cluster anew: what stood there is of a cluster that is gone. */
export const forgetHome = async (redis: Redis, keys: Keys): Promise<void> => {
  await redis.del(keys.home)
}

const conflict = ({ options }: Redis, { home }: Keys, own: Home, other: Home): MillraceError => {
  const place = `Redis at ${options.host}:${options.port}`
  const same = own.kafka === other.kafka
  const named = ({ kafka, topicPrefix }: Home) =>
    same ? `topic prefix '${topicPrefix}' of this Kafka cluster` : `Kafka cluster ${kafka}`
  return new MillraceError(
    'redis-conflict',
    `the keys of this cluster id in ${place} belong to ${named(other)}, and this is ${named(own)}`,
    {
      remedy: `give each installation a MILLRACE_CLUSTER_ID of its own; if the other is gone for good, delete the key ${home} there`,
    },
  )
}

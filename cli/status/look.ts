/** What Kafka and Redis know of the cluster at a moment. Kafka must answer; Redis may be away, and then that is said. */
import type { Redis } from 'ioredis'
import { messageOf } from '../../cluster/errors.ts'
import { type ClusterLook, lookAtCluster } from '../../cluster/kafka/cluster-look.ts'
import type { Topology } from '../../cluster/kafka/topology.ts'
import { clusterTopic } from '../../cluster/protocol/names.ts'
import { closeRedis, connectRedis } from '../../cluster/redis/client.ts'
import { keysOf } from '../../cluster/redis/keys.ts'
import { redisLeases, type Term } from '../../cluster/redis/lease.ts'
import { type Roster, redisWorkers } from '../../cluster/redis/workers.ts'
import type { Settings } from '../../cluster/settings.ts'
import { LEADER_LEASE } from '../../coordinator/leader.ts'
import { connectTopology } from '../host.ts'

export interface Seen {
  /** Who leads; undefined where nobody does. */
  readonly leader: Term | undefined
  readonly roster: Pick<Roster, 'live' | 'solo'>
}

export interface ClusterFacts extends ClusterLook {
  /** Epoch ms. */
  readonly now: number
  readonly redis: Seen | { readonly away: string }
}

export interface Eye extends AsyncDisposable {
  readonly home: Topology
  /** @throws MillraceError where Kafka does not answer */
  look(): Promise<ClusterFacts>
}

/** Whoever looks does not want to wait for long. */
const PATIENCE_MS = 1500

export const openEye = async (settings: Settings, signal?: AbortSignal): Promise<Eye> => {
  const home = await connectTopology(settings, 'home')
  const topic = clusterTopic(settings.topicPrefix)
  const keys = keysOf(settings.clusterId)
  let redis: Redis | undefined
  const ask = async (): Promise<ClusterFacts['redis']> => {
    try {
      const startTimeout = Math.min(PATIENCE_MS, settings.startTimeout)
      redis ??= await connectRedis({ ...settings, startTimeout }, signal && { signal })
      const [leader, roster] = await Promise.all([
        redisLeases(redis, keys).holder(LEADER_LEASE),
        redisWorkers(redis, keys).read(),
      ])
      return { leader, roster }
    } catch (error) {
      return { away: messageOf(error) }
    }
  }
  return {
    home,
    async look() {
      const [cluster, seen] = await Promise.all([
        lookAtCluster({ topology: home, topic, notice: () => undefined }),
        ask(),
      ])
      return { ...cluster, now: Date.now(), redis: seen }
    },
    async [Symbol.asyncDispose]() {
      if (redis !== undefined) closeRedis(redis)
      await home.connections.close()
    },
  }
}

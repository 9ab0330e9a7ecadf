/**
 * The connection to Redis. At start it waits for Redis and says so; what only a person can mend fails at once.
 * Later nothing of it throws into the flow by itself: while Redis is away each command is refused at once
 * (no queue grows), and the connection comes back by itself.
 */
import { Redis, type RedisOptions } from 'ioredis'
import { sleep, systemClock } from '../actor/clock.ts'
import { MillraceError, messageOf } from '../errors.ts'
import type { EventBus } from '../events.ts'
import type { Settings } from '../settings.ts'
import { tlsFiles } from '../tls.ts'

export interface RedisStart {
  readonly events?: EventBus
  readonly signal?: AbortSignal
}

const RETRY_MS = 300
const COMMAND_TIMEOUT_MS = 5000

const always = {
  lazyConnect: true,
  connectTimeout: 5000,
  commandTimeout: COMMAND_TIMEOUT_MS,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
} satisfies RedisOptions

/** What `rediss://` trusts and shows; nothing where the address speaks no TLS. */
export const redisTls = (settings: Settings): Pick<RedisOptions, 'tls'> => {
  const { redisUrl, redisTlsCa: ca, redisTlsCert: cert, redisTlsKey: key } = settings
  return redisUrl.startsWith('rediss:') ? { tls: tlsFiles('REDIS', { ca, cert, key }) } : {}
}

/**
 * A client that is connected, allowed in, and will not evict.
 * @throws MillraceError `redis-auth` and `redis-policy` at once, `redis-unreachable` after startTimeout
 */
export const connectRedis = async (settings: Settings, start: RedisStart = {}): Promise<Redis> => {
  const address = addressOf(settings.redisUrl)
  const tls = redisTls(settings)
  const deadline = systemClock.now() + settings.startTimeout
  let told = ''
  for (;;) {
    const left = Math.max(RETRY_MS, Math.ceil(deadline - systemClock.now()))
    const patience = AbortSignal.any([AbortSignal.timeout(left), ...(start.signal ? [start.signal] : [])])
    const outcome = await tryConnect({ url: settings.redisUrl, address, tls }, patience)
    if (outcome instanceof Redis) return outcome
    if (start.signal?.aborted || systemClock.now() >= deadline) throw unreachable(address, outcome)
    if (outcome !== told) start.events?.emit('waiting', { for: `Redis at ${address}`, detail: outcome })
    told = outcome
    await sleep(systemClock, RETRY_MS, start.signal)
  }
}

/** The client, or why waiting may help. */
const tryConnect = async (
  { url, address, tls }: { url: string; address: string; tls: Pick<RedisOptions, 'tls'> },
  patience: AbortSignal,
): Promise<Redis | string> => {
  let connected = false
  let fault = ''
  const redis = new Redis(url, {
    ...always,
    ...tls,
    retryStrategy: (times) => (connected ? Math.min(1000, 50 * 2 ** times) : null),
  })
  redis.on('error', (error) => {
    fault = error.message
  })
  const giveUp = () => {
    fault ||= 'it accepts the connection and stays silent'
    redis.disconnect()
  }
  patience.addEventListener('abort', giveUp)
  try {
    await redis.connect()
    await checkPolicy(redis)
    connected = true
    return redis
  } catch (error) {
    redis.disconnect()
    const reason = fault || messageOf(error)
    throwWhereHopeless(error, reason, address)
    return reason
  } finally {
    patience.removeEventListener('abort', giveUp)
  }
}

const throwWhereHopeless = (error: unknown, reason: string, address: string) => {
  if (error instanceof MillraceError) throw error
  if (/NOAUTH|WRONGPASS|NOPERM|invalid password|without any password/i.test(reason))
    throw new MillraceError('redis-auth', `Redis at ${address} refuses the credentials: ${reason}`, {
      cause: error,
    })
  if (/certificate|self.signed|wrong version number/i.test(reason))
    throw new MillraceError('redis-auth', `no trusted TLS with Redis at ${address}: ${reason}`, {
      cause: error,
    })
}

/** INFO, not CONFIG: managed Redis mostly forbids the latter. */
export const checkPolicy = async (redis: Redis): Promise<void> => {
  const policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1]
  if (policy !== undefined && policy !== 'noeviction')
    throw new MillraceError('redis-policy', `Redis runs with maxmemory-policy ${policy}`)
}

/** Host and port without the password. */
const addressOf = (url: string): string => {
  if (url === '')
    throw new MillraceError('redis-unreachable', 'no Redis address is set and no local services run')
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol))
    throw new MillraceError('settings', 'MILLRACE_REDIS_URL is not a redis:// or rediss:// address')
  const { hostname, port } = new URL(url)
  return `${hostname}:${port || '6379'}`
}

const unreachable = (address: string, reason: string): MillraceError =>
  new MillraceError('redis-unreachable', `Redis at ${address} does not answer: ${reason}`)

/** Ends the connection; never throws. */
export const closeRedis = (redis: Redis): void => redis.disconnect()

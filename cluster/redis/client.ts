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
import { answersTls, tlsFiles, tlsReason } from '../tls.ts'
import { redisRule } from './access.ts'

export interface RedisStart {
  readonly events?: EventBus
  readonly signal?: AbortSignal
  /** Not waited for where it is away: the client connects by itself once it is there, and refuses commands until then. */
  readonly mayBeAway?: boolean
}

const AWAY_AFTER_MS = 1000
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
  const { redisUrl: url, clusterId } = settings
  const place = { url, address, clusterId, tls: redisTls(settings) }
  const deadline = systemClock.now() + settings.startTimeout
  let told = ''
  for (;;) {
    const left = start.mayBeAway ? AWAY_AFTER_MS : Math.max(RETRY_MS, Math.ceil(deadline - systemClock.now()))
    const patience = AbortSignal.any([AbortSignal.timeout(left), ...(start.signal ? [start.signal] : [])])
    const outcome = await tryConnect(place, patience)
    if (outcome instanceof Redis) return outcome
    if (start.mayBeAway) return connectsLater(place)
    if (BROKEN.test(outcome)) await refuseOtherWay(place)
    if (start.signal?.aborted || systemClock.now() >= deadline) throw unreachable(address, outcome)
    if (outcome !== told) start.events?.emit('waiting', { for: `Redis at ${address}`, detail: outcome })
    told = outcome
    await sleep(systemClock, RETRY_MS, start.signal)
  }
}

interface Place {
  readonly url: string
  readonly address: string
  readonly clusterId: string
  readonly tls: Pick<RedisOptions, 'tls'>
}

const again = (times: number): number => Math.min(1000, 50 * 2 ** times)

const connectsLater = ({ url, tls }: Place): Redis => {
  const redis = new Redis(url, { ...always, ...tls, retryStrategy: again })
  redis.on('error', () => undefined) // Whoever sends a command hears of it.
  redis.connect().catch(() => undefined)
  return redis
}

/** The client, or why waiting may help. */
const tryConnect = async (place: Place, patience: AbortSignal): Promise<Redis | string> => {
  let connected = false
  let fault = ''
  const redis = new Redis(place.url, {
    ...always,
    ...place.tls,
    retryStrategy: (times) => (connected ? again(times) : null),
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
    throwWhereHopeless(error, reason, place)
    return reason
  } finally {
    patience.removeEventListener('abort', giveUp)
  }
}

const throwWhereHopeless = (error: unknown, reason: string, { address, clusterId }: Place) => {
  if (error instanceof MillraceError) throw error
  const refused = (detail: string, remedy?: string) =>
    new MillraceError('redis-auth', detail, { cause: error, ...(remedy && { remedy }) })
  if (/NOPERM/.test(reason))
    throw refused(
      `Redis at ${address} forbids what Millrace needs: ${reason}`,
      `allow the user: ACL SETUSER <user> ${redisRule(clusterId)}`,
    )
  if (/NOAUTH|WRONGPASS|invalid password|without any password/i.test(reason))
    throw refused(`Redis at ${address} refuses the credentials: ${reason}`)
  if (/alert/.test(reason))
    throw refused(
      `no TLS with Redis at ${address}: ${tlsReason(reason)}`,
      'check MILLRACE_REDIS_TLS_CERT and MILLRACE_REDIS_TLS_KEY',
    )
  if (/certificate|self.signed|unable to verify|altnames|wrong version number/i.test(reason))
    throw refused(
      `no trusted TLS with Redis at ${address}: ${tlsReason(reason)}`,
      'check MILLRACE_REDIS_URL (rediss:// speaks TLS) and MILLRACE_REDIS_TLS_CA',
    )
}

const BROKEN = /closed|ECONNRESET|EPIPE|ETIMEDOUT|disconnected before secure/i

/**
 * A port that speaks TLS closes the connection of whoever does not, a plain one waits for the end of a line that never comes; one
 * that only forwards to a Redis not yet up does so as well. So the other way is tried before it is said.
 */
const refuseOtherWay = async ({ url, address }: Place): Promise<void> => {
  const { hostname, port, protocol } = new URL(url)
  const secure = protocol === 'rediss:'
  const answers = secure ? answersPlainly : answersTls
  if (!(await answers(hostname, Number(port || 6379)))) return
  throw new MillraceError('redis-auth', `Redis at ${address} speaks ${secure ? 'no ' : ''}TLS`, {
    remedy: `write MILLRACE_REDIS_URL as ${secure ? 'redis' : 'rediss'}://`,
  })
}

/** Any answer will do, also one that wants a login. */
const answersPlainly = async (host: string, port: number): Promise<boolean> => {
  const redis = new Redis({ ...always, host, port, retryStrategy: () => null, enableReadyCheck: false })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    await redis.ping()
    return true
  } catch (error) {
    return error instanceof Error && /^(NOAUTH|NOPERM)/.test(error.message)
  } finally {
    redis.disconnect()
  }
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

/** What a Redis user of Millrace must be allowed; asked for at the start, since much of it would be missed only later. */
import type { Redis } from 'ioredis'
import { MillraceError } from '../errors.ts'
import { runScript, scripts } from './scripts.ts'

/** What `ACL SETUSER <user>` is given behind the password: only the own keys, nothing that looks at or harms the server. */
export const redisRule = (clusterId: string): string =>
  `~{${clusterId}}:* resetchannels +@read +@write +@connection +@transaction -@dangerous +info +time +eval +evalsha +script|load`

/** @throws MillraceError `redis-auth` where the user may not do all that workers and coordinators do */
export const requireAccess = async (redis: Redis, clusterId: string): Promise<void> => {
  const missing = await runScript(redis, scripts.accessCheck, [`{${clusterId}}:probe`], []).catch(
    (error: unknown) => {
      if (error instanceof Error && /NOPERM/.test(error.message))
        throw refused(redis, clusterId, error.message)
      throw error
    },
  )
  if (Array.isArray(missing) && missing.length > 0)
    throw refused(redis, clusterId, `no permission for ${missing.join(', ')}`)
}

const refused = ({ options }: Redis, clusterId: string, why: string): MillraceError => {
  const user = options.username || 'default'
  return new MillraceError('redis-auth', `Redis does not let user ${user} do what Millrace needs: ${why}`, {
    remedy: `allow it: ACL SETUSER ${user} ${redisRule(clusterId)}`,
  })
}

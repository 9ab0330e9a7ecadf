/**
 * A lease: a name that one holder has for a while.
 *
 * Laws (real Redis and the fake of the tests pass one suite):
 * - at any moment at most one holder has the name;
 * - each acquisition has a term above every earlier one, also after Redis was emptied; the same holder may acquire
 *   again (its reply was lost) and gets a new term;
 * - renew and release act on exactly that term, so that a delayed one touches no later holder.
 *
 * The lease counts from when Redis receives the request, its holder's trust from before it was sent, and for less:
 * so a holder stops trusting itself before anyone else can have the name, however slow the network and without
 * comparing clocks. A trust window bounds decisions; that effects are right even when it fails is Kafka's fencing.
 */
import type { Redis } from 'ioredis'
import type { Keys } from './keys.ts'
import { runScript, scripts } from './scripts.ts'

export interface Term {
  readonly holder: string
  readonly term: number
}

export interface Leases {
  /** Undefined where another has it. */
  acquire(name: string, holder: string, ttlMs: number): Promise<Term | undefined>
  /** False where the term is over. */
  renew(name: string, term: Term, ttlMs: number): Promise<boolean>
  release(name: string, term: Term): Promise<boolean>
  holder(name: string): Promise<Term | undefined>
}

/** How much of its time to live a holder believes in. */
const TRUST = 0.8

/** @param sentAt monotonic time before the request that made or prolonged the lease was sent */
export const trustedUntil = (sentAt: number, ttlMs: number): number => sentAt + ttlMs * TRUST

const textOf = (term: Term): string => `${term.term} ${term.holder}`

export const redisLeases = (redis: Redis, keys: Keys): Leases => ({
  async acquire(name, holder, ttlMs) {
    const term = await runScript(
      redis,
      scripts.leaseAcquire,
      [keys.lease(name), keys.term(name)],
      [holder, ttlMs],
    )
    return typeof term === 'string' ? { holder, term: Number(term) } : undefined
  },
  async renew(name, term, ttlMs) {
    return (await runScript(redis, scripts.leaseRenew, [keys.lease(name)], [textOf(term), ttlMs])) === 1
  },
  async release(name, term) {
    return (await runScript(redis, scripts.leaseRelease, [keys.lease(name)], [textOf(term)])) === 1
  },
  async holder(name) {
    const match = /^(\d+) (.*)$/.exec((await redis.get(keys.lease(name))) ?? '')
    return match?.[2] === undefined ? undefined : { term: Number(match[1]), holder: match[2] }
  },
})

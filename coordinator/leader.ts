/**
 * Leadership as a term.
 *
 *   standby --(the lease is free)--> leader --(replaced | trust over | fenced | resigned)--> standby
 *
 * Redis says who holds the term; the holder trusts itself for less than the lease, measured from before each request
 * was sent (cluster/redis/lease.ts). A failed renewal changes nothing until the trust is over; a refused one ends the term
 * at once. A leader that is fenced by a later one's first write stands by for a whole lease before it tries again, so
 * that two who both believe in their lease (two Redis, one Kafka) do not fence each other all the time.
 */
import type { Clock } from '../cluster/actor/clock.ts'
import { type Leases, type Term, trustedUntil } from '../cluster/redis/lease.ts'

export const LEADER_LEASE = 'coordinator'

export interface Elector {
  /** Renews or tries to acquire; true while leading. Never rejects. */
  campaign(): Promise<boolean>
  /** May it still act as leader, this very moment? */
  leads(): boolean
  term(): Term | undefined
  /** Kafka says that a later leader writes. */
  deposed(): void
  resign(): Promise<void>
}

export interface ElectorOptions {
  readonly leases: Leases
  readonly clock: Clock
  readonly holder: string
  readonly leaseMs: number
}

export const elector = ({ leases, clock, holder, leaseMs }: ElectorOptions): Elector => {
  let term: Term | undefined
  let trusted = 0
  let standsByUntil = 0

  const ask = async (): Promise<Term | undefined> => {
    if (term === undefined) return leases.acquire(LEADER_LEASE, holder, leaseMs)
    return (await leases.renew(LEADER_LEASE, term, leaseMs)) ? term : undefined
  }
  const leads = () => term !== undefined && clock.now() < trusted

  return {
    leads,
    term: () => term,
    async campaign() {
      if (!leads()) term = undefined
      if (clock.now() < standsByUntil) return false
      const sentAt = clock.now()
      try {
        term = await ask()
        trusted = trustedUntil(sentAt, leaseMs)
      } catch {
        // Redis is away: the trust that is left stands, and ends by itself.
      }
      return leads()
    },
    deposed() {
      term = undefined
      standsByUntil = clock.now() + leaseMs
    },
    async resign() {
      const last = term
      term = undefined
      if (last !== undefined) await leases.release(LEADER_LEASE, last).catch(() => false)
    },
  }
}

/** The lease port in memory, on any clock. */
import type { Clock } from '../../cluster/actor/clock.ts'
import type { Leases, Term } from '../../cluster/redis/lease.ts'

export const memoryLeases = (clock: Clock): Leases & { wipe(): void } => {
  const held = new Map<string, Term & { readonly until: number }>()
  const terms = new Map<string, number>()
  const current = (name: string) => {
    const lease = held.get(name)
    return lease !== undefined && lease.until > clock.now() ? lease : undefined
  }
  const isOf = (name: string, term: Term) => {
    const lease = current(name)
    return lease?.term === term.term && lease.holder === term.holder
  }
  return {
    async acquire(name, holder, ttlMs) {
      const lease = current(name)
      if (lease !== undefined && lease.holder !== holder) return undefined
      const term = Math.max((terms.get(name) ?? 0) + 1, Math.floor(clock.wall() * 1000))
      terms.set(name, term)
      held.set(name, { holder, term, until: clock.now() + ttlMs })
      return { holder, term }
    },
    async renew(name, term, ttlMs) {
      if (!isOf(name, term)) return false
      held.set(name, { ...term, until: clock.now() + ttlMs })
      return true
    },
    async release(name, term) {
      return isOf(name, term) && held.delete(name)
    },
    async holder(name) {
      const lease = current(name)
      return lease && { holder: lease.holder, term: lease.term }
    },
    wipe() {
      held.clear()
      terms.clear()
    },
  }
}

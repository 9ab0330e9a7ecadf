/** A worker's place in the roster, and that no other pipeline there writes what it writes. */
import { systemClock } from '../cluster/actor/clock.ts'
import { refuseSharedTopics, type Writer } from '../cluster/protocol/writes.ts'
import type { Workers } from '../cluster/redis/workers.ts'
import { joinCluster, type Membership, type MembershipOptions } from '../workers/membership.ts'

export interface Registrant {
  readonly workers: Workers
  readonly writer: Writer
}

/**
 * Redis away tells nothing: work goes on without it.
 * @throws MillraceError `topic-conflict`
 */
export const keepApart = async (
  { workers, writer }: Registrant,
  from: 'every' | 'earlier' = 'every',
): Promise<void> => {
  const roster = await workers.read().catch(() => undefined)
  if (roster !== undefined) refuseSharedTopics(writer, [...roster.live, ...roster.solo], from)
}

/**
 * Joins. Of two that began at one moment, neither of which saw the other, the later one leaves again.
 * @throws MillraceError `topic-conflict`
 */
export const register = async (
  registrant: Registrant,
  options: Pick<MembershipOptions, 'events' | 'leaseMs' | 'report'>,
): Promise<Membership> => {
  const membership = joinCluster({ ...options, workers: registrant.workers, clock: systemClock })
  try {
    await membership.registered
    await keepApart(registrant, 'earlier')
    return membership
  } catch (error) {
    await membership.stop()
    throw error
  }
}

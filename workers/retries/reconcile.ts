/**
 * What becomes of a parked record, from what its shard knows and what the queue says of its job. Pure.
 *
 * Laws: a record that is due in the future, or whose job waits or runs, is left alone; a job that is missing, completed or
 * failed is put again once the record is due and the grace has passed; a failed one has spent a run that nobody heard of (its
 * worker died of it, say), so that a record which ends its worker each time comes to an end itself.
 */
import type { JobState } from '../../cluster/redis/retry-queue.ts'
import type { Parked } from './parked.ts'
import type { Policy } from './policy.ts'

export type Decision =
  | 'leave'
  /** Once more, as often as is left. */
  | 'requeue'
  /** A run was spent: it is noted, and the rest is queued. */
  | 'count'
  /** No run is left. */
  | 'end'

/** Code of a dead letter whose last run nobody heard of. */
export const EXHAUSTED = 'retries-exhausted'

export interface Timing {
  /** Epoch ms. */
  readonly now: number
  /** ms */
  readonly grace: number
}

/** Worth a question to the queue. */
export const isOverdue = ({ due }: Pick<Parked, 'due'>, { now, grace }: Timing): boolean => now > due + grace

/** @param isNew its job has not been put since this takeover: it may be missing long before it is due */
export const decide = (
  parked: Pick<Parked, 'due' | 'attempts'>,
  job: JobState,
  policy: Pick<Policy, 'attempts'>,
  timing: Timing,
  isNew = false,
): Decision => {
  if (job === 'queued') return 'leave'
  const overdue = isOverdue(parked, timing)
  // Also where the settings were lowered since: whoever parked it promised more runs.
  if (parked.attempts >= policy.attempts) return overdue || isNew ? 'end' : 'leave'
  if (job === 'missing' && isNew) return 'requeue'
  if (!overdue) return 'leave'
  if (job !== 'failed') return 'requeue'
  return parked.attempts + 1 >= policy.attempts ? 'end' : 'count'
}

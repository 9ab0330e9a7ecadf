/** How often and when a record runs again. Pure: chance is given. */
import type { Settings } from '../../cluster/settings.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'

export interface Policy {
  /** Runs in all, the first included. */
  readonly attempts: number
  /** ms between the first run and the second. */
  readonly delay: number
  /** Share of a wait that chance takes away or adds. */
  readonly jitter: number
}

const LONGEST_MS = 3_600_000

/** The pipeline's word counts before the settings'. */
export const policyOf = (
  { retries = {} }: Pick<AnyPipeline, 'retries'>,
  settings: Pick<Settings, 'retryAttempts' | 'retryDelay' | 'retryJitter'>,
): Policy => ({
  attempts: Math.max(1, Math.floor(retries.attempts ?? settings.retryAttempts)),
  delay: Math.max(0, retries.delay ?? settings.retryDelay),
  jitter: Math.min(1, Math.max(0, retries.jitter ?? settings.retryJitter)),
})

/**
 * ms from the failure of run `attempt` (1: the first) to the next run: doubling up to an hour, then chance.
 * @param random in [0, 1): 0.5 is the wait itself
 */
export const waitAfter = ({ delay, jitter }: Policy, attempt: number, random: number): number => {
  const wait = Math.min(LONGEST_MS, delay * 2 ** Math.min(40, Math.max(0, attempt - 1)))
  return Math.round(wait * (1 + jitter * (2 * random - 1)))
}

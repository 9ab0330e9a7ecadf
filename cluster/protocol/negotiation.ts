/**
 * Which version of plans and reports the processes of a cluster speak while they are of several builds.
 *
 * A build reads every version from its oldest to its newest. Laws:
 * - a worker says in each report the newest that it speaks, and writes it in the version of the newest plan it could read; before
 *   the first in its oldest, so that an older leader reads a newer worker;
 * - the leader writes a pipeline's plans in the newest version that it and all live workers of the pipeline speak, and in its oldest
 *   where none lives: an older worker or leader may come first;
 * - of a plan that is not readable the epoch still counts: nothing older is followed any more, and whoever cannot read it does not lead.
 */
import type { UnreadPlan, WorkerReport } from './plan.ts'

export interface Protocol {
  readonly newest: number
  readonly oldest: number
}

/** What this build speaks. */
export const PROTOCOL: Protocol = { newest: 1, oldest: 1 }

export const isReadable = (version: unknown, protocol: Protocol = PROTOCOL): version is number =>
  Number.isSafeInteger(version) && Number(version) >= protocol.oldest && Number(version) <= protocol.newest

/** Version of the next plan for these workers. */
export const commonVersion = (
  reports: readonly Pick<WorkerReport, 'version' | 'speaks'>[],
  { newest, oldest }: Protocol = PROTOCOL,
): number => {
  if (reports.length === 0) return oldest
  return Math.max(oldest, Math.min(newest, ...reports.map(({ speaks, version }) => speaks ?? version)))
}

/** What is wrong with a version that is not readable, and what to do. */
export const describeUnread = (
  { version }: Pick<UnreadPlan, 'version'>,
  { newest, oldest }: Protocol = PROTOCOL,
): string =>
  version > newest
    ? `is of protocol version ${version}, this one reads up to ${newest}: upgrade it`
    : `is of protocol version ${version}, this one reads from ${oldest} on: upgrade who wrote it`

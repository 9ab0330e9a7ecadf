/**
 * Which topics only one live pipeline may write: outputs of two in one topic would have two fates each, and neither's
 * numbers could be told from it. (The topic of insights by count may be shared: its records name their pipeline.) Pure.
 */
import { MillraceError } from '../errors.ts'
import type { Names } from './names.ts'
import type { WorkerReport } from './plan.ts'

export const writesOf = ({ output, deadLetters, clusterInsights }: Names): readonly string[] => [
  ...(output === undefined ? [] : [output]),
  deadLetters,
  clusterInsights,
]

/** What a starting worker will say of itself. */
export type Writer = Pick<WorkerReport, 'pipeline' | 'worker' | 'startedAt' | 'writes'>

/**
 * Asked before a worker makes anything, then of every other; and when it has registered, of those that began before it:
 * of two that start at one moment, one goes on.
 * @throws MillraceError `topic-conflict`
 */
export const refuseSharedTopics = (
  own: Writer,
  others: readonly Writer[],
  which: 'every' | 'earlier',
): void => {
  for (const other of others) {
    if (other.pipeline === own.pipeline || (which === 'earlier' && isLater(other, own))) continue
    const shared = own.writes?.find((topic) => other.writes?.includes(topic))
    if (shared !== undefined) throw conflict(own.pipeline, other, shared)
  }
}

const isLater = (a: Writer, b: Writer): boolean =>
  a.startedAt === b.startedAt ? a.worker > b.worker : a.startedAt > b.startedAt

const conflict = (pipeline: string, other: Writer, topic: string): MillraceError =>
  new MillraceError(
    'topic-conflict',
    `${pipeline} and ${other.pipeline} both write topic ${topic}, and ${other.pipeline} runs (worker ${other.worker})`,
    {
      remedy: `give one of them a MILLRACE_TOPIC_PREFIX and a MILLRACE_CLUSTER_ID of its own, or run it with \`millrace run ${pipeline} --as <name>\``,
    },
  )

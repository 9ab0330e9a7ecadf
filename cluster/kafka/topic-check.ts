/** Compares topics as they are with topics as they must be: pure. Run at every start, because people change topics. */
import { MillraceError } from '../errors.ts'
import type { TopicDescription, WantedTopic } from './topics.ts'

export type Mismatch =
  | { readonly mismatch: 'missing'; readonly topic: WantedTopic }
  | { readonly mismatch: 'partitions'; readonly topic: WantedTopic; readonly actual: number }
  | {
      readonly mismatch: 'config'
      readonly topic: WantedTopic
      readonly config: string
      readonly actual: string
      readonly wanted: string
      /**
       * `refuse`: records may be lost already, or changing it would delete some: a person decides.
       * `alter`: Millrace sets it right. `tell`: it works, but the audit cannot prove as much.
       */
      readonly reaction: 'refuse' | 'alter' | 'tell'
    }

type ConfigMismatch = Mismatch & { readonly mismatch: 'config' }

export const checkTopics = (
  actual: ReadonlyMap<string, TopicDescription>,
  wanted: readonly WantedTopic[],
): readonly Mismatch[] =>
  wanted.flatMap((topic): readonly Mismatch[] => {
    const found = actual.get(topic.name)
    if (found === undefined) return [{ mismatch: 'missing', topic }]
    const partitions: readonly Mismatch[] =
      topic.fixedPartitions && found.partitions !== topic.partitions
        ? [{ mismatch: 'partitions', topic, actual: found.partitions }]
        : []
    return [...partitions, ...topic.held.flatMap((config) => checkConfig(topic, config, found))]
  })

const checkConfig = (topic: WantedTopic, config: string, found: TopicDescription): readonly Mismatch[] => {
  const wanted = topic.configs[config] ?? ''
  const actual = found.configs[config] ?? ''
  if (satisfies(config, actual, wanted)) return []
  return [{ mismatch: 'config', topic, config, actual, wanted, reaction: reactionTo(topic, config) }]
}

/** More room and a longer life do no harm; -1 is without limit. */
const atLeast = new Set(['max.message.bytes', 'retention.ms', 'retention.bytes'])

const satisfies = (config: string, actual: string, wanted: string): boolean => {
  if (!atLeast.has(config)) return actual === wanted
  const limit = (value: string) => (value === '-1' ? Number.POSITIVE_INFINITY : Number(value))
  return limit(actual) >= limit(wanted)
}

const reactionTo = (topic: WantedTopic, config: string): ConfigMismatch['reaction'] => {
  if (config !== 'cleanup.policy') return 'alter'
  return topic.role === 'output' ? 'tell' : 'refuse'
}

export const isAlterable = (mismatch: Mismatch): mismatch is ConfigMismatch =>
  mismatch.mismatch === 'config' && mismatch.reaction === 'alter'

export const describeMismatch = (mismatch: Mismatch): string => {
  const { topic } = mismatch
  if (mismatch.mismatch === 'missing') return `topic ${topic.name} does not exist`
  if (mismatch.mismatch === 'partitions')
    return `topic ${topic.name} has ${mismatch.actual} partitions, but the pipeline has ${topic.partitions} ${topic.role === 'cluster' ? 'by protocol' : 'slots'}`
  const effect = mismatch.reaction === 'tell' ? ': the audit of outputs is not provable' : ''
  return `topic ${topic.name} has ${mismatch.config}=${mismatch.actual}, but needs ${mismatch.wanted}${effect}`
}

/** @throws MillraceError `topic-mismatch` that names every fault only a person can mend */
export const refuseMismatches = (mismatches: readonly Mismatch[]): void => {
  const faults = mismatches.filter(
    (one) => one.mismatch === 'partitions' || (one.mismatch === 'config' && one.reaction === 'refuse'),
  )
  if (faults.length > 0) throw new MillraceError('topic-mismatch', faults.map(describeMismatch).join('; '))
}

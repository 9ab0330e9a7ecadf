/**
 * Every Kafka name that Millrace derives, in one place. `prefix` (setting `topicPrefix`) keeps several
 * installations on one Kafka cluster apart; it stands before every topic, group and transactional id.
 */
export interface Names {
  readonly input: string
  /** Absent where a pipeline has no output topic. */
  readonly output: string | undefined
  readonly deadLetters: string
  /** Where what is published by count goes; absent where a pipeline publishes none. */
  readonly insights: string | undefined
  /** Cluster-wide insights, also of closed windows, published by the leading coordinator. */
  readonly clusterInsights: string
  readonly state: string
  readonly drops: string
  readonly retried: string
  /** The consumer group that mirrors the positions, for lag tools only. */
  readonly group: string
  transactionalId(slot: number): string
}

export interface TopicNames {
  readonly input: string
  /** Absent: the pipeline writes no outputs; its aggregates and insights are all that is seen of it. */
  readonly output?: string
  readonly deadLetters: string
  /** What is published every so many records; pipelines may share one (header `millrace-pipeline`). */
  readonly insights?: string
  /** Default: `<pipeline>-insights`. */
  readonly clusterInsights?: string
}

export const namesOf = (pipeline: string, topics: TopicNames, prefix = ''): Names => {
  const own = `${prefix}millrace.${pipeline}`
  return {
    input: prefix + topics.input,
    output: topics.output === undefined ? undefined : prefix + topics.output,
    deadLetters: prefix + topics.deadLetters,
    insights: topics.insights === undefined ? undefined : prefix + topics.insights,
    clusterInsights: prefix + (topics.clusterInsights ?? `${pipeline}-insights`),
    state: `${own}.state`,
    drops: `${own}.drops`,
    retried: `${own}.retried`,
    group: own,
    transactionalId: (slot) => `${own}.${slot}`,
  }
}

/** The plan of each pipeline and what people ordered. */
export const clusterTopic = (prefix = ''): string => `${prefix}millrace.cluster`

export const coordinatorTransactionalId = (prefix = ''): string => `${prefix}millrace.coordinator`

/** Whoever gives an order: one at a time. */
export const ordersTransactionalId = (prefix = ''): string => `${prefix}millrace.orders`

/** What was done with which dead letter; one partition, compacted, made by the first replay. */
export const replaysTopic = (pipeline: string, prefix = ''): string => `${prefix}millrace.${pipeline}.replays`

/** Whoever sends letters again: a later one fences an earlier one. */
export const replayTransactionalId = (pipeline: string, prefix = ''): string =>
  `${prefix}millrace.${pipeline}.replay`

/** Partition p belongs to slot p mod slots. */
export const slotOf = (partition: number, slots: number): number => partition % slots

export interface SinkNames {
  readonly topic: string
  readonly index: string
  readonly deadLetters: string
  /** Its offsets are the position. */
  readonly group: string
  readonly transactionalId: string
}

/** Of a sink: `topic` stands as it is, with its prefix. One index may be filled from several topics. */
export const sinkNamesOf = (topic: string, index: string, prefix = ''): SinkNames => {
  const group = `${prefix}millrace.opensearch.${index}`
  return { topic, index, deadLetters: `${topic}-opensearch-dlq`, group, transactionalId: `${group}.${topic}` }
}

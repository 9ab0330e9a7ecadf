/**
 * What an audit stands on, read before any fate: positions first, then the ends of the topics of fates, then the
 * positions again. So every fate below a first position is visible, and every visible fate lies below a second one.
 */
import { MillraceError } from '../cluster/errors.ts'
import { CODE, codeName } from '../cluster/kafka/codes.ts'
import { describeConfigsRequest } from '../cluster/kafka/requests/configs.ts'
import type { Topology } from '../cluster/kafka/topology.ts'
import type { Names } from '../cluster/protocol/names.ts'
import type { InsightsState, Meta } from '../cluster/protocol/state.ts'
import type { BookRange } from './fate-book.ts'
import { Horizon } from './horizon.ts'
import { endsBeyond, type Patience, settledEnds } from './settled.ts'
import { type Snapshot, StateFollower } from './state.ts'

export interface Sources {
  readonly input: Topology
  readonly home: Topology
  readonly names: Names
}

/** A topic of fates: outputs, dead letters or drops; or of insights. */
export interface FateLog {
  readonly topic: string
  readonly starts: ReadonlyMap<number, number>
  readonly ends: ReadonlyMap<number, number>
  readonly horizon: Horizon
}

/** Settings of a topic; undefined where they may not be read. */
export type TopicConfigs = Readonly<Record<string, string>> | undefined

export interface Ground {
  readonly state: StateFollower
  readonly slots: number
  readonly begin: Snapshot
  readonly mapping: Meta['outputMapping']
  readonly stateTopicId: string
  readonly ranges: ReadonlyMap<number, BookRange>
  /** Ends of what is committed in the input. */
  readonly inputEnds: ReadonlyMap<number, number>
  readonly outputs: FateLog | undefined
  readonly letters: FateLog
  readonly drops: FateLog
  /** By count; `covered` is what the state said of them after their ends were read, by slot. */
  readonly insights:
    | { readonly log: FateLog; readonly covered: ReadonlyMap<number, InsightsState> }
    | undefined
  readonly configs: {
    readonly input: TopicConfigs
    readonly output: TopicConfigs
    readonly insights: TopicConfigs
  }
}

export const layGround = async (sources: Sources, patience: Patience): Promise<Ground> => {
  const { input, home, names } = sources
  const maybe = [names.output, names.insights].filter((topic) => topic !== undefined)
  await input.refresh(names.input)
  await home.refresh(names.state, names.deadLetters, names.drops, ...maybe)
  const state = new StateFollower(home, names.state, patience)
  const begin = await state.read()
  const slots = (await home.topic(names.state)).partitions.length
  if (begin.meta !== undefined) await compareMeta(begin.meta, sources, slots)
  const inputPartitions = (await input.topic(names.input)).partitions.map(({ partition }) => partition)
  const [letters, drops] = [
    await fateLog(home, names.deadLetters, patience),
    await fateLog(home, names.drops, patience),
  ]
  const outputs = names.output === undefined ? undefined : await fateLog(home, names.output, patience)
  const insights = names.insights === undefined ? undefined : await fateLog(home, names.insights, patience)
  const inputStarts = await input.offsets(names.input, inputPartitions)
  const inputConfigs = await configsOf(input, names.input)
  const positions = new Map([...begin.positions].map(([partition, { next }]) => [partition, next]))
  const covered = await state.read()
  return {
    state,
    slots,
    begin,
    mapping: begin.meta?.outputMapping ?? 'same',
    stateTopicId: (await home.topic(names.state)).topicId,
    ranges: rangesOf(begin, covered, inputStarts, isCompacted(inputConfigs)),
    inputEnds: await endsBeyond(input, names.input, positions, patience.signal),
    outputs,
    letters,
    drops,
    insights: insights && { log: insights, covered: covered.insights },
    configs: {
      input: inputConfigs,
      output: names.output === undefined ? {} : await configsOf(home, names.output),
      insights: names.insights === undefined ? {} : await configsOf(home, names.insights),
    },
  }
}

/** @throws MillraceError where the state's offsets mean something else than the topics' */
const compareMeta = async (meta: Meta, { input, names }: Sources, slots: number): Promise<void> => {
  const { topicId } = await input.topic(names.input)
  if (meta.slots !== slots)
    throw new MillraceError(
      'topic-mismatch',
      `the state was made for ${meta.slots} slots, ${names.state} has ${slots} partitions`,
    )
  if (meta.inputClusterId !== input.clusterId)
    throw new MillraceError(
      'topic-recreated',
      `the state belongs to Kafka cluster ${meta.inputClusterId}, the input is in ${input.clusterId}`,
    )
  if (meta.inputTopicId !== topicId)
    throw new MillraceError(
      'topic-recreated',
      `${names.input} was deleted and made again (was ${meta.inputTopicId}, is ${topicId})`,
    )
}

const fateLog = async (home: Topology, topic: string, patience: Patience): Promise<FateLog> => {
  const partitions = (await home.topic(topic)).partitions.map(({ partition }) => partition)
  const ends = await settledEnds(home, topic, partitions, patience)
  const starts = await home.offsets(topic, partitions)
  return { topic, starts, ends, horizon: new Horizon(starts) }
}

/** A partition found later than the first positions covers nothing yet. */
const rangesOf = (
  begin: Snapshot,
  covered: Snapshot,
  inputStarts: ReadonlyMap<number, number>,
  holes: boolean,
): Map<number, BookRange> => {
  const rangeOf = ([partition, later]: readonly [number, { next: number; first: number }]) => {
    const { first, next } = begin.positions.get(partition) ?? { first: later.first, next: later.first }
    const from = Math.min(next, Math.max(first, inputStarts.get(partition) ?? 0))
    const still = covered.parked.get(partition)
    const parked = [...(begin.parked.get(partition) ?? [])]
    const settled = new Set(parked.filter((offset) => still?.has(offset) !== true))
    return [partition, { first, from, to: next, covered: later.next, settled, holes }] as const
  }
  return new Map([...covered.positions].map(rangeOf))
}

export const isCompacted = (configs: TopicConfigs): boolean =>
  configs?.['cleanup.policy']?.includes('compact') === true

const SETTINGS = ['cleanup.policy', 'message.timestamp.type']

/** An auditor may lack the right to ask; then what depends on it is said to be unknown. */
const configsOf = async (topology: Topology, topic: string): Promise<TopicConfigs> => {
  const leader = (await topology.leader(topic, 0))?.leader ?? topology.connections.nodeIds()[0]
  if (leader === undefined) throw new MillraceError('kafka-unreachable', 'no Kafka broker is known')
  const reply = await topology.connections.call(leader, describeConfigsRequest([topic], SETTINGS))
  const [found] = reply.topics
  if (found?.code === CODE.topicAuthorization) return undefined
  if (found?.code !== CODE.none)
    throw new MillraceError(
      'topic-missing',
      `the settings of ${topic} cannot be read: ${codeName(found?.code ?? -1)}`,
    )
  return found.configs
}

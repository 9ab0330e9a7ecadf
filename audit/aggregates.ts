/** The aggregates three times: counted again from the outputs, as the state holds them, as Redis shows them. */

import { slotOf } from '../cluster/protocol/names.ts'
import type { Position } from '../cluster/protocol/state.ts'
import type { ViewReader } from '../cluster/redis/views-read.ts'
import { type Aggregates, definitionHash } from '../pipelines/api/aggregates.ts'
import type { AnyPipeline } from '../pipelines/api/define.ts'
import { type Ground, isCompacted } from './ground.ts'
import type { Recount } from './recount.ts'
import type { Mismatch, TopicMismatch } from './report.ts'
import type { ScanTally } from './scans.ts'
import { busySlots, compareViews, entryOf, readViews, type Views } from './views.ts'
import { compareTables, tableOf, type WindowMismatch, type WindowTable, windowKey } from './window-table.ts'

export interface AggregatesAudit {
  readonly pipeline: AnyPipeline
  readonly name: string
  readonly ground: Ground
  readonly tally: ScanTally
  /** By slot. */
  readonly watermarks: ReadonlyMap<number, number>
  readonly recount: Recount
  readonly views: ViewReader | undefined
  readonly wait: number
  readonly signal: AbortSignal | undefined
}

interface Slot {
  readonly slot: number
  readonly watermark: number
  readonly state: WindowTable
  /** Undefined where the outputs do not tell it. */
  readonly recounted: WindowTable | undefined
  /** Window keys -> epoch ms of the state's record. */
  readonly written: ReadonlyMap<string, number>
}

export interface AggregatesVerdict {
  readonly mismatches: readonly Mismatch[]
  readonly notProvable: readonly string[]
}

export const compareAggregates = async (audited: AggregatesAudit): Promise<AggregatesVerdict> => {
  const { pipeline, ground, views } = audited
  const aggregates = pipeline.aggregates ?? {}
  if (Object.keys(aggregates).length === 0) return { mismatches: [], notProvable: [] }
  const doubts = doubtsOf(audited, aggregates)
  const slots = Array.from({ length: ground.slots }, (_, slot) => slotOfState(audited, aggregates, slot))
  const compared = { aggregates, except: doubts.except }
  const state = slots.flatMap(({ recounted, state: found, slot, watermark }) =>
    recounted === undefined
      ? []
      : compareTables({ ...compared, where: 'state', slot, watermark, expected: recounted, found }),
  )
  const unproven = slots.filter(({ recounted }) => recounted === undefined).map(({ slot }) => slot)
  const notProvable = [...doubts.reasons, ...whyUnproven(audited, unproven)]
  if (views === undefined)
    return { mismatches: state, notProvable: [...notProvable, 'Redis: it was not asked'] }
  const redis = await compareRedis(audited, views, slots, compared)
  return { mismatches: [...state, ...redis.mismatches], notProvable: [...notProvable, ...redis.notProvable] }
}

/** Aggregates of which the outputs do not tell what they must be. */
const doubtsOf = ({ pipeline, ground }: AggregatesAudit, aggregates: Aggregates) => {
  const stored = [...ground.begin.windows.values()].flat()
  const changed = Object.entries(aggregates)
    .filter(([name, one]) => {
      const hash = definitionHash(one)
      return stored.some(({ aggregate, state }) => aggregate === name && state.hash !== hash)
    })
    .map(([name]) => name)
  const stamped = ground.configs.output?.['message.timestamp.type'] === 'LogAppendTime'
  const untimed =
    stamped && pipeline.eventTime === undefined
      ? Object.entries(aggregates)
          .filter(([, { span }]) => span === 'window')
          .map(([name]) => name)
      : []
  const reasons = [
    ...changed.map((name) => `aggregate ${name}: it was counted under another definition`),
    ...untimed.map((name) => `aggregate ${name}: the output topic has the time of writing, not of the event`),
  ]
  return { except: new Set([...changed, ...untimed]), reasons }
}

const slotOfState = (audited: AggregatesAudit, aggregates: Aggregates, slot: number): Slot => {
  const stored = audited.ground.begin.windows.get(slot) ?? []
  const entries = stored.flatMap(({ aggregate, start, state }) =>
    entryOf(aggregates, aggregate, start, state.value),
  )
  return {
    slot,
    watermark: audited.watermarks.get(slot) ?? 0,
    state: tableOf(entries),
    recounted: isRecountable(audited, slot) ? audited.recount.windows(slot) : undefined,
    written: new Map(stored.map(({ aggregate, start, written }) => [windowKey(aggregate, start), written])),
  }
}

/** The outputs of all its partitions are there, back to their first positions. */
const isRecountable = ({ ground, tally }: AggregatesAudit, slot: number): boolean => {
  const { outputs, begin, slots, configs } = ground
  if (outputs === undefined || isCompacted(configs.output)) return false
  if (!outputs.horizon.moved) return true
  return [...begin.positions]
    .filter(([partition]) => slotOf(partition, slots) === slot)
    .every(([partition, { counters }]) => (tally.books.get(partition)?.seen('output') ?? 0) >= counters.done)
}

const whyUnproven = ({ ground }: AggregatesAudit, unproven: readonly number[]): readonly string[] => {
  if (unproven.length === 0) return []
  if (ground.outputs === undefined) return ['the recount: there is no output topic']
  const { topic } = ground.outputs
  if (isCompacted(ground.configs.output)) return [`the recount: ${topic} is compacted`]
  return [`the recount of slots ${unproven.join(', ')}: the oldest outputs are gone from ${topic}`]
}

type Compared = { readonly aggregates: Aggregates; readonly except: ReadonlySet<string> }

const compareRedis = async (
  audited: AggregatesAudit,
  reader: ViewReader,
  slots: readonly Slot[],
  compared: Compared,
): Promise<AggregatesVerdict> => {
  const { ground, name, wait, signal } = audited
  const expired = new Set<string>()
  const verdict = await compareViews({
    wait,
    signal,
    read: () => readViews(reader, name, compared.aggregates),
    busy: async () => busySlots(ground.begin.positions, await positionsNow(ground), ground.slots),
    compare: (views) => {
      expired.clear()
      return slots.flatMap((slot) => [
        ...compareHead(slot, views, ground.stateTopicId),
        ...compareParts(slot, views, compared, expired),
      ])
    },
  })
  return {
    mismatches: verdict.mismatches,
    notProvable: [
      ...(verdict.busy.length > 0
        ? [`Redis: not compared for slots ${verdict.busy.join(', ')}: the pipeline is running`]
        : []),
      ...(expired.size > 0
        ? [`Redis: ${expired.size} parts may have ended with their time to live, such as ${[...expired][0]}`]
        : []),
    ],
  }
}

const positionsNow = async ({ state }: Ground): Promise<ReadonlyMap<number, Position>> =>
  (await state.read()).positions

const compareHead = ({ slot }: Slot, { heads }: Views, stateTopicId: string): TopicMismatch[] => {
  const head = heads.get(slot)
  if (head === undefined || head.stateTopicId === stateTopicId) return []
  return [{ where: 'redis', slot, expected: stateTopicId, found: head.stateTopicId }]
}

/** Against the recount, or where there is none against the state. */
const compareParts = (
  { slot, watermark, recounted, state, written }: Slot,
  { tables }: Views,
  { aggregates, except }: Compared,
  expired: Set<string>,
): WindowMismatch[] => {
  const found = tables.get(slot) ?? new Map()
  const gone = (key: string, name: string): boolean => {
    if (found.has(key) || !mayHaveExpired(aggregates, name, written.get(key))) return false
    expired.add(`${slot}/${key}`)
    return true
  }
  const expected = new Map([...(recounted ?? state)].filter(([key, entry]) => !gone(key, entry.aggregate)))
  return compareTables({ where: 'redis', slot, watermark, aggregates, except, expected, found })
}

/** Parts live twice as long as their window stays open, from their last publication on. */
const mayHaveExpired = (aggregates: Aggregates, name: string, written: number | undefined): boolean => {
  const aggregate = aggregates[name]
  if (aggregate?.span !== 'window' || written === undefined) return false
  return Date.now() > written + 2 * (aggregate.retention + aggregate.size)
}

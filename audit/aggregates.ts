/** The aggregates three times: counted again from the fates, as the state holds them, as Redis shows them. */

import type { Position } from '../cluster/protocol/state.ts'
import type { ViewReader } from '../cluster/redis/views-read.ts'
import type { Aggregates } from '../pipelines/api/aggregates.ts'
import type { Ground } from './ground.ts'
import type { Mismatch, TopicMismatch } from './mismatch.ts'
import { doubtsOf, type Proof, unprovenIn, whyUnproven } from './provable.ts'
import { windowedOf } from './recount.ts'
import { busySlots, compareViews, entryOf, readViews, type Views } from './views.ts'
import { compareTables, tableOf, type WindowMismatch, type WindowTable, windowKey } from './window-table.ts'

export interface AggregatesAudit extends Proof {
  readonly name: string
  /** By slot. */
  readonly watermarks: ReadonlyMap<number, number>
  readonly views: ViewReader | undefined
  readonly wait: number
  readonly signal: AbortSignal | undefined
}

interface Slot {
  readonly slot: number
  readonly watermark: number
  readonly state: WindowTable
  readonly recounted: WindowTable
  /** Aggregates that cannot be recounted here. */
  readonly unproven: ReadonlySet<string>
  /** Window keys -> epoch ms of the state's record. */
  readonly written: ReadonlyMap<string, number>
}

export interface AggregatesVerdict {
  readonly mismatches: readonly Mismatch[]
  readonly notProvable: readonly string[]
}

export const compareAggregates = async (audited: AggregatesAudit): Promise<AggregatesVerdict> => {
  const { pipeline, ground, views } = audited
  const aggregates = windowedOf(pipeline)
  if (Object.keys(aggregates).length === 0) return { mismatches: [], notProvable: [] }
  const doubts = doubtsOf(audited, aggregates)
  const slots = Array.from({ length: ground.slots }, (_, slot) => slotOfState(audited, aggregates, slot))
  const compared = { aggregates, except: doubts.except }
  const state = slots.flatMap(({ recounted, state: found, slot, watermark, unproven }) => {
    const except = new Set([...doubts.except, ...unproven])
    return compareTables({ aggregates, except, where: 'state', slot, watermark, expected: recounted, found })
  })
  const notProvable = [...doubts.reasons, ...whyUnproven(audited, aggregates, slots)]
  if (views === undefined)
    return { mismatches: state, notProvable: [...notProvable, 'Redis: it was not asked'] }
  const redis = await compareRedis(audited, views, slots, compared)
  return { mismatches: [...state, ...redis.mismatches], notProvable: [...notProvable, ...redis.notProvable] }
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
    recounted: audited.recount.windows(slot),
    unproven: unprovenIn(audited, aggregates, slot),
    written: new Map(stored.map(({ aggregate, start, written }) => [windowKey(aggregate, start), written])),
  }
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
  { slot, watermark, recounted, unproven, state, written }: Slot,
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
  const known = [
    ...[...recounted].filter(([, { aggregate }]) => !unproven.has(aggregate)),
    ...[...state].filter(([, { aggregate }]) => unproven.has(aggregate)),
  ]
  const expected = new Map(known.filter(([key, { aggregate }]) => !gone(key, aggregate)))
  return compareTables({ where: 'redis', slot, watermark, aggregates, except, expected, found })
}

/** Parts live twice as long as their window stays open, from their last publication on. */
const mayHaveExpired = (aggregates: Aggregates, name: string, written: number | undefined): boolean => {
  const aggregate = aggregates[name]
  if (aggregate?.span !== 'window' || written === undefined) return false
  return Date.now() > written + 2 * (aggregate.retention + aggregate.size)
}

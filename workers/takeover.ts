/**
 * Takeover of a slot, protocol P2, after the fence: claim transaction -> read the state up to the claim's OFFSET ->
 * compare with the topics -> first positions in a transaction of their own kind -> only then may anything be fetched.
 */
import { randomUUID } from 'node:crypto'
import { type ErrorCode, MillraceError } from '../cluster/errors.ts'
import type { Part, TransactResult, Writer } from '../cluster/kafka/ports.ts'
import { scan } from '../cluster/kafka/scan.ts'
import { slotOf } from '../cluster/protocol/names.ts'
import { parseParked } from '../cluster/protocol/retries.ts'
import {
  type Claim,
  type Meta,
  type Position,
  parseStateKey,
  STATE_FORMAT,
  stateKey,
} from '../cluster/protocol/state.ts'
import { VERSION } from '../cluster/protocol/version.ts'
import { stateOffsets, statePartsOf } from './commit.ts'
import { definitionsOf, haveChanged, outgrownWindows } from './definitions.ts'
import { firstPosition, type LedgerState, restore, type StateRecord } from './ledger.ts'
import type { StoredParked } from './retries/parked.ts'
import { type SlotContext, SOLO_EPOCH } from './slot.ts'

export interface Owned {
  readonly result: 'owned'
  readonly claimId: string
  readonly state: LedgerState
  /** State offset of each window's record. */
  readonly offsets: ReadonlyMap<string, number>
  readonly restoredRecords: number
}
export type Takeover =
  | Owned
  | Exclude<TransactResult, { readonly result: 'committed' | 'refused' }>
  /** A newer owner has claimed meanwhile. */
  | { readonly result: 'fenced'; readonly code: number }
  | { readonly result: 'stopped'; readonly code: ErrorCode; readonly detail: string }

/** Where a partition that has no position yet begins; resolved only at birth. */
export interface FirstOffsets {
  /** True where the mirrored group says that this pipeline has run. */
  readonly hasRun: () => Promise<boolean>
  /** Offsets that are taken over, by partition; empty where none are named. */
  readonly taken: () => Promise<ReadonlyMap<number, number>>
}

/** P1: a restore that takes longer may miss tombstones. */
const RESTORE_LIMIT_MS = 600_000

export const takeOver = (context: SlotContext, writer: Writer, first: FirstOffsets): Promise<Takeover> =>
  claimAndRestore(context, writer, first).catch(endedBy)

const HALTING: readonly ErrorCode[] = [
  'position-gap',
  'topic-missing',
  'topic-recreated',
  'kafka-auth',
  'settings',
]

/** A look at Kafka that fails ends a takeover like any other step: away is tried again, the rest stops the shard by name. */
const endedBy = (error: unknown): Takeover => {
  if (!(error instanceof MillraceError)) throw error
  const { code, message } = error
  if (code === 'timeout' || code === 'kafka-unreachable') return { result: 'unclear', reason: message }
  if (HALTING.includes(code)) return stopped(code, message)
  throw error
}

const claimAndRestore = async (
  context: SlotContext,
  writer: Writer,
  first: FirstOffsets,
): Promise<Takeover> => {
  const claim: Claim = { epoch: context.epoch, worker: context.worker, claimId: randomUUID() }
  const claimed = await writer.transact(partsFor(context, [{ key: stateKey.claim, value: claim }]))
  if (claimed.result !== 'committed')
    return claimed.result === 'refused' ? unwritable(claimed.detail) : claimed
  const claimOffset = claimed.offsets[0] ?? 0
  const restored = await context.restoring(() => readState(context, claimOffset))
  if (restored.state.claim?.claimId !== claim.claimId) return { result: 'fenced', code: 0 }
  if (context.epoch !== SOLO_EPOCH && restored.highestEpoch > context.epoch)
    return { result: 'fenced', code: 0 }
  const stop = await compare(context, restored.state, first)
  if (stop !== undefined) return stop
  return writeNews(context, writer, restored, first, claim)
}

const unwritable = (detail: string): Takeover => ({
  result: 'stopped',
  code: 'topic-mismatch',
  detail: `the state topic refuses a claim: ${detail}`,
})

const partsFor = (context: SlotContext, records: readonly StateRecord[]): Part[] =>
  statePartsOf(records, {
    names: context.names,
    slot: context.slot,
    maxStateBytes: context.maxStateBytes,
    now: Date.now(),
  })

interface Restored {
  readonly state: LedgerState
  readonly offsets: Map<string, number>
  readonly records: number
  readonly highestEpoch: number
}

const readState = async (context: SlotContext, claimOffset: number): Promise<Restored> => {
  const { home, names, slot, aggregates } = context
  const started = performance.now()
  const from = (await home.offsets(names.state, [slot])).get(slot) ?? 0
  const latest = new Map<string, { value: unknown; offset: number }>()
  let records = 0
  let highestEpoch = -1
  await scan(home, { topic: names.state, partition: slot, from, to: claimOffset + 1 }, (cursor) => {
    if (cursor.keyStart < 0) return
    const key = cursor.bytes.toString('utf8', cursor.keyStart, cursor.keyEnd)
    const value: unknown =
      cursor.valueStart < 0 ? null : stored(key, cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd))
    records++
    if (key === stateKey.claim && value !== null)
      highestEpoch = Math.max(highestEpoch, (value as Claim).epoch)
    latest.delete(key)
    latest.set(key, { value, offset: cursor.offset })
  })
  if (performance.now() - started > RESTORE_LIMIT_MS) return readState(context, claimOffset)
  const state = restore(
    aggregates,
    [...latest].map(([key, { value }]) => ({ key, value })),
  )
  return {
    state,
    records,
    highestEpoch,
    offsets: new Map([...latest].map(([key, { offset }]) => [key, offset])),
  }
}

/** Of a parked record only its head is kept. */
const stored = (key: string, bytes: Buffer): unknown => {
  if (parseStateKey(key)?.kind !== 'retry') return JSON.parse(bytes.toString('utf8'))
  const parked = parseParked(bytes)
  if (parked === undefined) throw new Error(`the state record ${key} is no parked record`)
  return { ...parked.head, bytes: bytes.length } satisfies StoredParked
}

const stopped = (code: ErrorCode, detail: string): Takeover => ({ result: 'stopped', code, detail })

const compare = async (
  context: SlotContext,
  state: LedgerState,
  first: FirstOffsets,
): Promise<Takeover | undefined> => {
  const { meta } = state
  const topic = context.names.input
  if (meta === undefined) {
    const lost = await first.hasRun()
    return lost
      ? stopped(
          'state-lost',
          `the state of slot ${context.slot} in ${context.names.state} is empty, but group ${context.names.group} shows that the pipeline has run`,
        )
      : undefined
  }
  if (meta.format > STATE_FORMAT)
    return stopped(
      'state-format',
      `${context.names.state} was written by Millrace ${meta.millrace} in format ${meta.format}, this is ${VERSION} and reads ${STATE_FORMAT}`,
    )
  if (meta.slots !== context.slots)
    return stopped(
      'topic-mismatch',
      `the state was made for ${meta.slots} slots, ${context.names.state} has ${context.slots} partitions`,
    )
  if (meta.inputClusterId !== context.input.clusterId)
    return stopped(
      'topic-recreated',
      `the state belongs to Kafka cluster ${meta.inputClusterId}, the input is now read from ${context.input.clusterId}`,
    )
  const { topicId } = await context.input.topic(topic)
  if (meta.inputTopicId !== topicId)
    return stopped(
      'topic-recreated',
      `${topic} was deleted and made again (was ${meta.inputTopicId}, is ${topicId})`,
    )
  return compareLog(context, state)
}

/** A position outside the log, or read under a later leader epoch than the log now has, is a gap by name. */
const compareLog = async (context: SlotContext, state: LedgerState): Promise<Takeover | undefined> => {
  const topic = context.names.input
  const partitions = [...state.positions.keys()]
  const [starts, ends] = await Promise.all([
    context.input.offsets(topic, partitions),
    context.input.ends(topic, partitions),
  ])
  for (const [partition, position] of state.positions) {
    const start = starts.get(partition) ?? 0
    if (position.next < start)
      return stopped(
        'position-gap',
        `${topic}/${partition}: position ${position.next} lies below the log start ${start}`,
      )
    const leaderEpoch = context.input.known(topic, partition)?.leaderEpoch ?? position.leaderEpoch
    if (position.next > (ends.get(partition) ?? position.next) && position.leaderEpoch > leaderEpoch)
      return stopped(
        'position-gap',
        `${topic}/${partition}: position ${position.next} lies beyond the end of the log: it was rolled back`,
      )
  }
  return undefined
}

/** What this takeover finds new, in one transaction before any fetch: first positions, changed definitions. */
const writeNews = async (
  context: SlotContext,
  writer: Writer,
  restored: Restored,
  first: FirstOffsets,
  claim: Claim,
): Promise<Takeover> => {
  const { state } = restored
  const { topicId, partitions } = await context.input.topic(context.names.input)
  const mine = partitions
    .map((one) => one.partition)
    .filter((partition) => slotOf(partition, context.slots) === context.slot)
  const missing = mine.filter((partition) => !state.positions.has(partition))
  const owned = { result: 'owned', claimId: claim.claimId, restoredRecords: restored.records } as const
  const definitions = definitionsOf(context.aggregates, state.meta, state.positions)
  const isCurrent = state.meta !== undefined && !haveChanged(state.meta.definitions, definitions)
  if (missing.length === 0 && isCurrent) return { ...owned, state, offsets: restored.offsets }
  const positions = await firstPositions(
    context,
    missing,
    topicId,
    state.meta === undefined ? await first.taken() : new Map(),
  )
  const birth = {
    format: STATE_FORMAT,
    millrace: VERSION,
    slots: context.slots,
    inputClusterId: context.input.clusterId,
    inputTopicId: topicId,
    outputMapping: context.birthMapping,
  }
  const meta: Meta = { ...(state.meta ?? birth), definitions }
  const outgrown = outgrownWindows(definitions, state.meta?.definitions ?? {}, restored.offsets.keys())
  const firsts = [...positions].map(([partition, value]) => ({ key: stateKey.position(partition), value }))
  const records = [
    { key: stateKey.claim, value: claim },
    { key: stateKey.meta, value: meta },
    ...firsts,
    ...outgrown,
  ]
  const parts = partsFor(context, records)
  const written = await writer.transact(parts)
  if (written.result !== 'committed')
    return written.result === 'refused' ? unwritable(written.detail) : written
  const offsets = new Map([...restored.offsets, ...stateOffsets(records, parts, written.offsets)])
  return {
    ...owned,
    offsets,
    state: { ...state, meta, claim, positions: new Map([...state.positions, ...positions]) },
  }
}

/** Earliest, unless a group is taken over; a partition found later begins at its log start: records before its discovery count too. */
const firstPositions = async (
  context: SlotContext,
  partitions: readonly number[],
  topicId: string,
  taken: ReadonlyMap<number, number>,
): Promise<Map<number, Position>> => {
  const starts = await context.input.offsets(context.names.input, partitions)
  const startOf = (partition: number): number => {
    const start = starts.get(partition) ?? 0
    const offset = taken.get(partition)
    if (offset !== undefined && offset < start)
      throw new MillraceError(
        'position-gap',
        `group offset ${offset} of ${context.names.input}/${partition} lies below the log start ${start}`,
      )
    return offset ?? start
  }
  return new Map(partitions.map((partition) => [partition, firstPosition(startOf(partition), topicId)]))
}

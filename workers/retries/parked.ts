/**
 * The parked records of one slot as the ledger knows them. Pure. Their bytes stay in the state topic: only where they are,
 * how often they ran and how large they are is kept.
 *
 * States of an input offset: read -> parked (attempts 1) -> parked (attempts 2, 3 ...) -> settled: output, letter or drop.
 */
import { frame, type ParkedHead, type Tried } from '../../cluster/protocol/retries.ts'
import { stateKey } from '../../cluster/protocol/state.ts'
import type { StateRecord } from '../ledger.ts'
import type { FreshPark } from './park.ts'

export interface Parked extends ParkedHead {
  readonly partition: number
  readonly offset: number
  /** Of its state record. */
  readonly bytes: number
}

/** Results of retries of one partition, judged and in their order. */
export interface Returned {
  /** Next offset of `retried` once this is committed; absent where later entries of the same fetch are to come. */
  readonly next?: number
  readonly settled: readonly number[]
  /** Failed again. */
  readonly tried: readonly (Tried & { readonly offset: number })[]
}

export interface Waiting {
  readonly parked: ReadonlyMap<string, Parked>
  readonly records: readonly StateRecord[]
  readonly keys: readonly string[]
}

interface Batch {
  readonly partition: number
  readonly result: { readonly parks: readonly FreshPark[] } | undefined
}

/** What the batches park. A set that nothing changes stays the same object: most commits park nothing. */
export const withParks = (
  parked: ReadonlyMap<string, Parked>,
  claimId: string,
  batches: readonly Batch[],
): Waiting => {
  if (batches.every(({ result }) => (result?.parks.length ?? 0) === 0))
    return { parked, records: [], keys: [] }
  const after = new Map(parked)
  const records: StateRecord[] = []
  for (const { partition, result } of batches)
    for (const { record, ...fresh } of result?.parks ?? []) {
      const key = stateKey.retry(partition, fresh.offset)
      const { code, message, due, key: shown, preview, trace } = fresh
      const park = `${claimId}/${partition}/${fresh.offset}`
      const head: ParkedHead = { park, attempts: 1, code, message, due, key: shown, preview, trace }
      const value = frame(head, record)
      after.set(key, { ...head, partition, offset: fresh.offset, bytes: value.length })
      records.push({ key, value })
    }
  return { parked: after, records, keys: records.map(({ key }) => key) }
}

export const withReturned = (
  before: Waiting,
  partition: number,
  { settled, tried }: Pick<Returned, 'settled' | 'tried'>,
): Waiting => {
  if (settled.length === 0 && tried.length === 0) return before
  const parked = new Map(before.parked)
  const records: StateRecord[] = [...before.records]
  const keys = [...before.keys]
  for (const { offset, ...again } of tried) {
    const key = stateKey.retry(partition, offset)
    const known = parked.get(key)
    if (known === undefined) throw new Error(`offset ${offset} of partition ${partition} is not parked`)
    parked.set(key, { ...known, ...again })
    records.push({ key: stateKey.tried(partition, offset), value: again })
    keys.push(key)
  }
  for (const offset of settled) {
    const key = stateKey.retry(partition, offset)
    const known = parked.get(key)
    if (known === undefined) throw new Error(`offset ${offset} of partition ${partition} is not parked`)
    parked.delete(key)
    records.push({ key, value: null })
    keys.push(key)
    if (known.attempts > 1) records.push({ key: stateKey.tried(partition, offset), value: null })
  }
  return { parked, records, keys }
}

/** A parked record of the state topic, as a takeover reads it. */
export type StoredParked = ParkedHead & { readonly bytes: number }

/** In the order of the state topic: a record is parked once, before anything is said of it. */
export const restoreParked = (
  parked: Map<string, Parked>,
  { kind, partition, offset }: { readonly kind: string; readonly partition: number; readonly offset: number },
  value: unknown,
): void => {
  const key = stateKey.retry(partition, offset)
  if (kind === 'tried') {
    const known = parked.get(key)
    const tried = value as Tried | null
    if (known !== undefined && tried?.park === known.park) parked.set(key, { ...known, ...tried })
  } else if (value === null) parked.delete(key)
  else parked.set(key, { partition, offset, ...(value as StoredParked) })
}

export const parkedBytes = (parked: ReadonlyMap<string, Parked>): number =>
  [...parked.values()].reduce((sum, { bytes }) => sum + bytes, 0)

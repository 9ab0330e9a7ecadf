/**
 * Which definition of each aggregate a slot counts by, and since when: a changed or new one begins at the positions of
 * its first takeover, and its windows before that are left alone. Written in `meta`, so that an audit knows what to recount. Pure.
 */
import { type Definitions, type Meta, type Position, parseStateKey } from '../cluster/protocol/state.ts'
import { type Aggregate, type Aggregates, definitionHash } from '../pipelines/api/aggregates.ts'
import type { StateRecord } from './ledger.ts'

const hashes = new WeakMap<Aggregate, string>()
/** Hashing costs more than a commit's other work: once a definition. */
export const hashOf = (aggregate: Aggregate): string => {
  const hash = hashes.get(aggregate) ?? definitionHash(aggregate)
  hashes.set(aggregate, hash)
  return hash
}

/** @param meta absent at birth: what is defined then counts from the first record on */
export const definitionsOf = (
  aggregates: Aggregates,
  meta: Meta | undefined,
  positions: ReadonlyMap<number, Position>,
): Definitions => {
  const since = Object.fromEntries([...positions].map(([partition, { next }]) => [partition, next]))
  const entries = Object.entries(aggregates).map(([name, aggregate]) => {
    const hash = hashOf(aggregate)
    const before = meta?.definitions[name]
    if (before?.hash === hash) return [name, before] as const
    return [name, { hash, since: meta === undefined ? {} : since }] as const
  })
  return Object.fromEntries(entries)
}

/** Tombstones for the windows of aggregates whose definition has changed: should it change back, they must not come back. */
export const outgrownWindows = (
  after: Definitions,
  before: Definitions,
  keys: Iterable<string>,
): StateRecord[] =>
  [...keys].flatMap((key) => {
    const parsed = parseStateKey(key)
    if (parsed?.kind !== 'window') return []
    const now = after[parsed.aggregate]
    return now === undefined || now.hash === before[parsed.aggregate]?.hash ? [] : [{ key, value: null }]
  })

export const haveChanged = (before: Definitions, after: Definitions): boolean => {
  const hashes = (definitions: Definitions) =>
    JSON.stringify(
      Object.entries(definitions)
        .map(([name, { hash }]) => [name, hash])
        .sort(),
    )
  return hashes(before) !== hashes(after)
}

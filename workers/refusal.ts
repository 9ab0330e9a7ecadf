/**
 * What follows when the broker can never write a batch as it is (P3.4 c): the guilty record is found and becomes a dead
 * letter; a letter that does not fit becomes a reference; else the whole batch would loop for ever. Pure.
 */

import { decodeAll } from '../cluster/kafka/codec/records.ts'
import { CODE } from '../cluster/kafka/codes.ts'
import type { Part, TransactResult } from '../cluster/kafka/ports.ts'
import { HEADER, parseOrigin } from '../cluster/protocol/headers.ts'
import type { Names } from '../cluster/protocol/names.ts'
import type { Commit } from './commits.ts'
import type { Entry } from './mailbox.ts'
import { NO_OVERRIDES, type Overrides } from './task.ts'

export type Refused = Extract<TransactResult, { readonly result: 'refused' }>

const reasons: ReadonlyMap<number, string> = new Map([
  [CODE.messageTooLarge, 'output-too-large'],
  [CODE.recordListTooLarge, 'output-too-large'],
  [CODE.invalidTimestamp, 'output-timestamp-refused'],
  [CODE.invalidRecord, 'output-refused'],
])

/** The batch that a refused part came from, and what it is run again with; undefined where nothing smaller can be tried. */
export const mend = (
  refused: Refused,
  commit: Pick<Commit, 'entries' | 'content'>,
  names: Names,
): { readonly entry: Entry; readonly overrides: Overrides } | undefined => {
  const part = commit.content.parts[refused.part]
  const made = ({ result }: Entry) =>
    result !== undefined && [...result.outputs, ...result.letters].some(({ bytes }) => bytes === part?.bytes)
  const entry = commit.entries.find(made)
  const overrides = part && entry && overridesFor(refused, part, names, entry.overrides)
  return entry === undefined || overrides === undefined ? undefined : { entry, overrides }
}

/** Overrides for the batch the part came from; undefined where nothing smaller can be tried (the state itself is refused). */
export const overridesFor = (
  refused: Refused,
  part: Part,
  names: Names,
  before: Overrides,
): Overrides | undefined => {
  if (part.topic !== names.output && part.topic !== names.deadLetters) return undefined
  const guilty = guiltyOffsets(refused, part)
  if (guilty.length === 0)
    return part.records > 1 ? { ...before, batchRecords: Math.floor(part.records / 2) } : undefined
  // Whole batches again: one round trip a record could outlast the transaction, for ever.
  const found = { ...before, batchRecords: NO_OVERRIDES.batchRecords }
  if (part.topic === names.output) {
    const code = reasons.get(refused.code) ?? 'output-refused'
    return { ...found, dead: new Map([...before.dead, ...guilty.map((offset) => [offset, code] as const)]) }
  }
  if (guilty.every((offset) => before.references.has(offset))) return undefined
  return { ...found, references: new Set([...before.references, ...guilty]) }
}

/** Empty where the broker named no record and there are several: smaller batches tell. */
const guiltyOffsets = (refused: Refused, part: Part): number[] => {
  const records = decodeAll(Buffer.from(part.bytes.buffer, part.bytes.byteOffset, part.bytes.byteLength))
  const indexes = records.length === 1 ? [0] : refused.recordIndexes
  return indexes.flatMap((index) => {
    const origin = records[index]?.headers.find(([name]) => name === HEADER.origin)?.[1]
    return (origin && parseOrigin(origin.toString())?.offset) ?? []
  })
}

/** A dead letter of a sink: the record's own key, value bytes and headers, behind them where it came from and why it failed. */
import type { IHeaders, Message } from 'kafkajs'
import { formatOrigin, HEADER } from '../cluster/protocol/headers.ts'
import type { Rejection } from './documents.ts'

export interface Letter extends Message {
  readonly partition: number
  readonly value: Buffer | null
}

/** @param now epoch ms */
export const letterOf = ({ record, code, reason }: Rejection, now: number): Letter => ({
  partition: record.origin.partition,
  key: record.key,
  value: record.value,
  timestamp: String(record.timestamp),
  headers: {
    ...ownHeaders(record.headers),
    [HEADER.origin]: formatOrigin(record.origin),
    [HEADER.errorCode]: code,
    [HEADER.errorMessage]: reason,
    [HEADER.attempts]: '1',
    [HEADER.failedAt]: new Date(now).toISOString(),
  },
})

/** An output carries the origin of its input: here it gives way to the output's own, from which it can be looked up. */
const ownHeaders = (headers: readonly (readonly [string, Buffer | null])[]): IHeaders => {
  const byName = Map.groupBy(headers, ([name]) => name)
  return Object.fromEntries(
    [...byName].map(([name, values]) => [name, values.map(([, value]) => value ?? Buffer.alloc(0))]),
  )
}

/** Kafka takes batches up to a size: slices that fit, one letter at least. */
export const slicesOf = (letters: readonly Letter[], mostBytes: number): readonly (readonly Letter[])[] => {
  const slices: Letter[][] = []
  let room = 0
  for (const letter of letters) {
    const size = sizeOf(letter)
    const last = slices.at(-1)
    if (last === undefined || size > room) {
      slices.push([letter])
      room = mostBytes - size
    } else {
      last.push(letter)
      room -= size
    }
  }
  return slices
}

/** Room for headers that Millrace adds and for the framing. */
const ENVELOPE = 512

const sizeOf = ({ key, value, headers }: Letter): number =>
  (key?.length ?? 0) + (value?.length ?? 0) + JSON.stringify(headers ?? {}).length + ENVELOPE

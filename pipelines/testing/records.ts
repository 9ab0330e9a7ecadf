/** Made-up records: what a test writes down, and what `execute` is handed of it. */
import type { Input, RecordHeaders } from '../api/define.ts'

/** Of a record besides its value; what is absent is taken from the options of `run`. */
export interface RecordParts {
  /** Default: none. */
  readonly key?: string | Uint8Array | null
  /** By name, or a list where a name comes twice. */
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>> | RecordHeaders
  /** Epoch ms of the Kafka record; default: `now`. */
  readonly timestamp?: number
  readonly partition?: number
  /** 2 and more: as a retry sees it. */
  readonly attempt?: number
}

class TestRecord {
  readonly value: TestValue
  readonly parts: RecordParts
  constructor(value: TestValue, parts: RecordParts) {
    this.value = value
    this.parts = parts
  }
}

export type { TestRecord }

/** Texts and bytes are the value as it stands, null is a tombstone, anything else is written as its JSON. */
export type TestValue = object | string | number | boolean | null

/** A value with a key, headers or a time of its own: `record({ id: '1' }, { key: 'a' })`. */
export const record = (value: TestValue, parts: RecordParts): TestRecord => new TestRecord(value, parts)

export interface Moment extends RecordParts {
  /** Epoch ms of processing. */
  readonly now: number
  readonly signal: AbortSignal
}

export interface RecordInput {
  readonly bytes: Buffer | null
  readonly input: Input
}

/** @throws TypeError on a value that no record can hold */
export const inputsOf = (topic: string, values: readonly TestValue[], moment: Moment): RecordInput[] => {
  const ends = new Map<number, number>()
  return values.map((one) => {
    const { value, parts } = one instanceof TestRecord ? one : { value: one, parts: {} }
    const {
      key = null,
      headers = {},
      timestamp = moment.now,
      partition = 0,
      attempt = 1,
    } = {
      ...moment,
      ...parts,
    }
    const offset = ends.get(partition) ?? 0
    ends.set(partition, offset + 1)
    const origin = { topic, partition, offset }
    const { now, signal } = moment
    const input = { key: bytesOf(key), headers: listOf(headers), timestamp, origin, now, attempt, signal }
    return { bytes: valueBytes(value), input }
  })
}

const bytesOf = (text: string | Uint8Array | null): Buffer | null =>
  text === null ? null : Buffer.from(text)

const listOf = (headers: NonNullable<RecordParts['headers']>): RecordHeaders =>
  isList(headers) ? headers : Object.entries(headers).map(([name, value]) => [name, bytesOf(value)])

const isList = (headers: NonNullable<RecordParts['headers']>): headers is RecordHeaders =>
  Array.isArray(headers)

const valueBytes = (value: TestValue): Buffer | null => {
  if (value === null) return null
  if (typeof value === 'string' || value instanceof Uint8Array) return Buffer.from(value)
  const json: unknown = JSON.stringify(value)
  if (typeof json !== 'string') throw new TypeError(`no record can hold this value (${typeof value})`)
  return Buffer.from(json)
}

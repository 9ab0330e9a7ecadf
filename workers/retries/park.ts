/** How a thread wraps a record that is parked: as a batch of one with the input's own offset, and what people may see of it. */

import { isUtf8 } from 'node:buffer'
import { BatchBuilder } from '../../cluster/kafka/codec/encode.ts'
import { CodecError } from '../../cluster/kafka/codec/error.ts'
import { HeaderBlock } from '../../cluster/kafka/codec/header-block.ts'
import { AT, writeInt64 } from '../../cluster/kafka/codec/layout.ts'
import { stamp } from '../../cluster/kafka/codec/stamp.ts'
import type { AnyPipeline } from '../../pipelines/api/define.ts'
import type { RecordInput } from '../record-input.ts'

/** A record on its way into the state. */
export interface FreshPark {
  readonly offset: number
  readonly code: string
  readonly message: string
  /** Epoch ms. */
  readonly due: number
  readonly key: string
  readonly preview: string
  /** `traceparent` of the run that failed. */
  readonly trace: string | undefined
  /** A batch of one. */
  readonly record: Uint8Array
}

const NO_PRODUCER = -1
const builder = new BatchBuilder({ transactional: false })
const block = new HeaderBlock()

/** Undefined where the record's own headers cannot be read: it could not be written again as it is. */
export const batchOfOne = (input: RecordInput): Uint8Array | undefined => {
  block.clear()
  try {
    block.copy(input)
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return undefined
  }
  builder.begin(input.timestamp)
  builder.append(input.timestamp, input.bytes, input.keyStart, input.keyEnd, input.value, block)
  const batch = builder.finish()
  if (batch === undefined) throw new Error('a batch of one holds one')
  const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength)
  writeInt64(bytes, AT.baseOffset, input.offset)
  stamp(bytes, NO_PRODUCER, NO_PRODUCER, NO_PRODUCER)
  return bytes
}

const SHOWN = 300
/** A longer value is not parsed for a look at its head. */
const PARSED = 64 * 1024

/** The end of a long key, as in `millrace dlq`: enough to tell two keys apart, too little to know whose they are. */
const KEY_SHOWN = 4
const LONG_KEY = 8

export const maskedKey = (key: Uint8Array | null): string => {
  if (key === null) return '(none)'
  if (!isUtf8(key)) return `(${key.length} bytes)`
  const text = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8')
  return text.length > LONG_KEY ? `***${text.slice(-KEY_SHOWN)}` : '***'
}

/** The masks run on the fields of the raw value; whatever they cannot mask is not shown. */
export const previewOf = ({ masks = {} }: Pick<AnyPipeline, 'masks'>, value: Buffer | null): string => {
  if (value === null) return '(no value)'
  if (value.length > PARSED) return `(${value.length} bytes)`
  try {
    const parsed: unknown = JSON.parse(value.toString('utf8'))
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      return `(${value.length} bytes)`
    const shown = Object.entries(parsed).map(([field, content]) => [field, masked(masks[field], content)])
    return JSON.stringify(Object.fromEntries(shown)).slice(0, SHOWN)
  } catch {
    return `(${value.length} bytes)`
  }
}

const masked = (mask: ((text: string) => string) | undefined, content: unknown): unknown =>
  mask === undefined || content === null
    ? content
    : mask(typeof content === 'string' ? content : JSON.stringify(content))

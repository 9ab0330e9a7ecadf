/**
 * What is shown of a record. Law: no personal data without `raw`. Fields that the schema knows are shown as they are, those with a
 * mask masked; what the schema does not know, keys and headers are hidden, of bytes that are no JSON object only the shape is shown.
 */
import { isUtf8 } from 'node:buffer'
import { decodeObject } from '../pipelines/api/decode.ts'
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'
import { isVerdict } from '../pipelines/api/outcome.ts'
import type { Headers } from './letter.ts'

export const HIDDEN = '***'
const SHAPE_LENGTH = 400

export type PreviewedValue =
  /** No value. */
  | null
  | { readonly fields: JsonObject }
  /** Letters as `x`, digits as `0`, the rest as it is; what is no text as `\xff`. */
  | { readonly shape: string; readonly bytes: number }
  | { readonly text: string; readonly hex: string; readonly bytes: number }

export interface Viewer {
  readonly pipeline: AnyPipeline
  readonly raw: boolean
}

const LARGEST = 64 * 1024 ** 2

export const previewValue = (value: Buffer | null, { pipeline, raw }: Viewer): PreviewedValue => {
  if (value === null) return null
  const record = decodeObject(value, 0, value.length, LARGEST)
  if (!isVerdict(record)) return { fields: raw ? record : maskedFields(record, pipeline) }
  const bytes = value.length
  if (raw) return { text: printable(value), hex: value.toString('hex'), bytes }
  const begin = isUtf8(value) ? value : value.subarray(0, SHAPE_LENGTH)
  return { shape: shapeOf(printable(begin).slice(0, SHAPE_LENGTH)), bytes }
}

export const maskedFields = (record: JsonObject, pipeline: AnyPipeline): JsonObject =>
  Object.fromEntries(
    Object.entries(record).map(([field, value]) => [field, maskedField(field, value, pipeline)]),
  )

const maskedField = (field: string, value: unknown, { masks = {}, schema }: AnyPipeline): unknown => {
  const mask = Object.hasOwn(masks, field) ? masks[field] : undefined
  if (mask === undefined) return Object.hasOwn(schema.properties, field) ? value : HIDDEN
  if (value === undefined || value === null) return value
  try {
    return mask(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
  } catch {
    return HIDDEN
  }
}

/** Enough to tell two keys apart, too little to know whose they are. */
export const previewKey = (key: Buffer | null, { raw }: Viewer): string | null => {
  if (key === null) return null
  const text = printable(key)
  if (raw) return text
  return text.length > 8 ? `${HIDDEN}${text.slice(-4)}` : HIDDEN
}

export const previewHeaders = (headers: Headers, { raw }: Viewer): readonly (readonly [string, string])[] =>
  headers.map(([name, value]) => [
    printable(Buffer.from(name)),
    value === null ? 'null' : raw ? printable(value) : HIDDEN,
  ])

const escaped = (code: number): string => `\\x${code.toString(16).padStart(2, '0')}`

/** Control characters and what is no UTF-8 never reach a terminal. */
const printable = (bytes: Buffer): string => {
  if (isUtf8(bytes))
    return bytes
      .toString('utf8')
      .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => escaped(character.codePointAt(0) ?? 0))
  return [...bytes]
    .map((byte) => (byte < 0x20 || byte > 0x7e ? escaped(byte) : String.fromCharCode(byte)))
    .join('')
}

const ESCAPES = /(\\x[0-9a-f]{2,})/g

const shapeOf = (text: string): string =>
  text
    .split(ESCAPES)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(/\p{L}/gu, 'x').replace(/\p{N}/gu, '0')))
    .join('')

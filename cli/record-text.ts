/** Records for people and for programs. Bytes that are no UTF-8 never reach a terminal, nor do control characters. */
import { isUtf8 } from 'node:buffer'
import { printable } from '../cluster/printable.ts'
import { styled } from './output.ts'
import type { TailedRecord } from './tail.ts'

/** `partition/offset key value`. */
export const recordLine = ({ partition, offset, key, value }: TailedRecord): string => {
  const place = styled('dim', `${partition}/${offset}`)
  const shownKey = key === null ? '-' : printable(key)
  return `${place} ${styled('cyan', shownKey)} ${value === null ? 'null' : printable(value)}`
}

const asJson = (name: string, bytes: Buffer | null) => {
  if (bytes === null) return { [name]: null }
  return isUtf8(bytes) ? { [name]: bytes.toString('utf8') } : { [`${name}Base64`]: bytes.toString('base64') }
}

/** One line of JSON: `key`, `value` and header values as text, or as `keyBase64`, `valueBase64` where they are none. */
export const recordJson = (topic: string, record: TailedRecord): string =>
  JSON.stringify({
    topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: new Date(record.timestamp).toISOString(),
    ...asJson('key', record.key),
    ...asJson('value', record.value),
    headers: record.headers.map(([name, value]) => ({ name, ...asJson('value', value) })),
  })

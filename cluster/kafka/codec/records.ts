/** Whole records as objects, for cold paths: state records, tools, tests. */
import { RecordCursor, readHeaders } from './decode.ts'
import { BatchBuilder, type BatchOptions, type EncodedBatch } from './encode.ts'
import { readHeader } from './header.ts'
import { HeaderBlock } from './header-block.ts'

export interface PlainRecord {
  readonly timestamp: number
  readonly key: string | Uint8Array | null
  readonly value: string | Uint8Array | null
  readonly headers?: readonly (readonly [name: string, value: string | Uint8Array | null])[]
}

export interface DecodedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: [string, Buffer | null][]
}

/** One batch of all records, in order; undefined where there are none. A `limit` does not apply: split before. */
export const encodeBatch = (
  records: readonly PlainRecord[],
  options: Omit<BatchOptions, 'limit'> = {},
): EncodedBatch | undefined => {
  const builder = new BatchBuilder(options)
  const block = new HeaderBlock()
  builder.begin(records[0]?.timestamp ?? 0)
  for (const { timestamp, key, value, headers = [] } of records) {
    const keyBytes = typeof key === 'string' ? Buffer.from(key) : key
    block.clear()
    for (const [name, content] of headers) block.add(name, content)
    builder.append(timestamp, keyBytes, 0, keyBytes?.length ?? 0, value, block)
  }
  return builder.finish()
}

const slice = (bytes: Buffer, start: number, end: number): Buffer | null =>
  start < 0 ? null : bytes.subarray(start, end)

/**
 * Every data record of the whole batches in `bytes`; control batches and a cut last one are left out.
 * Keys and values are views: they keep `bytes` alive.
 */
export const decodeAll = (bytes: Buffer, maxBytes = 1 << 26): DecodedRecord[] => {
  const cursor = new RecordCursor()
  const records: DecodedRecord[] = []
  for (let header = readHeader(bytes, 0); header !== undefined; header = readHeader(bytes, header.end)) {
    if (header.control) continue
    cursor.reset(bytes, header, maxBytes)
    while (cursor.next()) {
      records.push({
        offset: cursor.offset,
        timestamp: cursor.timestamp,
        key: slice(cursor.bytes, cursor.keyStart, cursor.keyEnd),
        value: slice(cursor.bytes, cursor.valueStart, cursor.valueEnd),
        headers: readHeaders(cursor),
      })
    }
  }
  return records
}

/** Letters as values, for tests without Kafka. */
import type { DecodedRecord } from '../../cluster/kafka/codec/records.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { type Letter, readLetter } from '../../letters/letter.ts'

export const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text))

export const record = (
  headers: readonly (readonly [string, string])[],
  more: Partial<DecodedRecord> = {},
): DecodedRecord => ({
  offset: 7,
  timestamp: 1000,
  key: bytes('key'),
  value: bytes('value'),
  headers: headers.map(([name, value]) => [name, Buffer.from(value)]),
  ...more,
})

export const own = (code = 'not-json', message = 'no JSON'): readonly (readonly [string, string])[] => [
  [HEADER.origin, 'in/3/42'],
  [HEADER.pipeline, 'p'],
  [HEADER.errorCode, code],
  [HEADER.errorMessage, message],
  [HEADER.attempts, '2'],
  [HEADER.failedAt, '2026-03-01T12:00:00.000Z'],
]

/** As a worker would have written it to `dlq/0/7`. */
export const letter = (changes: Partial<Letter> = {}): Letter => {
  const found = readLetter('dlq', 0, record(own()), 'p')
  if (found.kind !== 'letter') throw new Error('a letter was made')
  return { ...found, ...changes }
}

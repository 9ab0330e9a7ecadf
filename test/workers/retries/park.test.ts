import { expect, test } from 'vitest'
import { maskedKey } from '../../../workers/retries/park.ts'

test.each([
  ['the end of a long key', Buffer.from('user-4711-0815'), '***0815'],
  ['nothing of a short one', Buffer.from('ann-4711'), '***'],
  ['of no text its length', Buffer.from([0xff, 0xfe, 0x01]), '(3 bytes)'],
  ['that there is none', null, '(none)'],
])('of a key people see %s', (_, key, shown) => expect(maskedKey(key)).toBe(shown))

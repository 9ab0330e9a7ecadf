import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tokenizer } from '../../../pipelines/steps/token.ts'

test('a token is the beginning of node:crypto’s HMAC-SHA-256, for any key and text', () => {
  const text = fc.string({ unit: 'binary', maxLength: 3000 })
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.array(text), (key, texts) => {
      const tokenOf = tokenizer(key, 64)
      for (const each of texts)
        expect(tokenOf(each)).toBe(createHmac('sha256', key).update(each).digest('hex'))
    }),
  )
})

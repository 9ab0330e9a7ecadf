import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  frame,
  type ParkedHead,
  parseParked,
  parseResult,
  resultFrame,
  resultKey,
} from '../../../cluster/protocol/retries.ts'

const bytes = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'binary' })

test('a parked record is read as it was written, whatever its bytes', () => {
  const head = fc.record({
    park: text,
    attempts: fc.nat(),
    code: text,
    message: text,
    due: fc.nat(),
    key: text,
    preview: text,
  })
  fc.assert(
    fc.property(head, bytes, (written: ParkedHead, record) => {
      expect(parseParked(frame(written, record))).toEqual({ head: written, record })
    }),
  )
})

test('a result is read as it was written, whatever its output and its bytes', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), text, text, bytes, (partition, offset, park, json, record) => {
      const value = resultFrame({ park, attempt: 2, outcome: 'done' }, json, record)
      const read = parseResult(Buffer.from(resultKey(partition, offset)), value)
      // A lone surrogate has no UTF-8.
      const written = Buffer.from(json).toString()
      expect(read).toMatchObject({
        partition,
        offset,
        json: written,
        record,
        head: { outcome: 'done', park },
      })
    }),
  )
})

test('what somebody else wrote is no result and no parked record, never an exception', () => {
  fc.assert(
    fc.property(fc.option(bytes), fc.option(bytes), (key, value) => {
      expect(parseResult(key, value)).toBeUndefined()
      if (value !== null) expect(parseParked(value)).toBeUndefined()
    }),
  )
  const key = Buffer.from('1/2')
  const read = (head: object) => parseResult(key, frame({ park: 'p', attempt: 2, json: 0, ...head }))
  expect(read({ outcome: 'done' })).toBeDefined()
  for (const head of [
    { outcome: 'dead', code: 'x' },
    { outcome: 'retry', code: 'x', message: '' },
    { outcome: 'drop' },
    { outcome: 'unheard' },
    { outcome: 'toString' },
    { outcome: 'done', park: 5 },
    { outcome: 'done', attempt: -1 },
  ])
    expect(read(head), JSON.stringify(head)).toBeUndefined()
})

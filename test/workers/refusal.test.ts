import { describe, expect, test } from 'vitest'
import { encodeBatch } from '../../cluster/kafka/codec/records.ts'
import { CODE } from '../../cluster/kafka/codes.ts'
import type { Part } from '../../cluster/kafka/ports.ts'
import { overridesFor, type Refused } from '../../workers/refusal.ts'
import { NO_OVERRIDES, type Overrides } from '../../workers/task.ts'
import { names, produced } from './support/results.ts'

const refused = (code: number, ...recordIndexes: number[]): Refused => ({
  result: 'refused',
  part: 0,
  code,
  detail: '',
  recordIndexes,
})
const outputs = (...offsets: number[]): Part => ({ topic: 'out', ...produced(0, ...offsets) })
const letters = (...offsets: number[]): Part => ({ topic: 'dlq', ...produced(0, ...offsets) })
const overrides = (more: Partial<Overrides>): Overrides => ({ ...NO_OVERRIDES, ...more })

describe('what the broker can never write', () => {
  test.each([
    [CODE.messageTooLarge, 'output-too-large'],
    [CODE.recordListTooLarge, 'output-too-large'],
    [CODE.invalidTimestamp, 'output-timestamp-refused'],
    [CODE.invalidRecord, 'output-refused'],
  ])('code %i: the one record of the batch becomes a dead letter %s', (code, reason) => {
    expect(overridesFor(refused(code), outputs(41), names, NO_OVERRIDES)).toEqual(
      overrides({ dead: new Map([[41, reason]]) }),
    )
  })

  test('the broker names the guilty records of a batch: they alone become letters', () => {
    const found = overridesFor(refused(CODE.invalidTimestamp, 0, 2), outputs(5, 6, 7), names, NO_OVERRIDES)
    expect([...(found?.dead.keys() ?? [])]).toEqual([5, 7])
  })

  test('it names none: smaller batches tell, down to a single record', () => {
    const sizes: number[] = []
    let before = NO_OVERRIDES
    for (let records = 9; records > 1; records = before.batchRecords) {
      const offsets = Array.from({ length: records }, (_, i) => i)
      before = overridesFor(refused(CODE.messageTooLarge), outputs(...offsets), names, before) ?? before
      sizes.push(before.batchRecords)
    }
    expect(sizes).toEqual([4, 2, 1])
    const found = overridesFor(refused(CODE.messageTooLarge), outputs(3), names, before)
    expect(found?.dead).toEqual(new Map([[3, 'output-too-large']]))
  })

  test('once the guilty one is known its neighbours are batched as ever: a round trip a record would outlast the transaction', () => {
    const narrowed = overrides({ batchRecords: 1 })
    expect(overridesFor(refused(CODE.messageTooLarge), outputs(3), names, narrowed)?.batchRecords).toBe(
      Number.POSITIVE_INFINITY,
    )
    expect(overridesFor(refused(CODE.messageTooLarge), letters(3), names, narrowed)?.batchRecords).toBe(
      Number.POSITIVE_INFINITY,
    )
  })

  test('an index outside the batch names nobody: it must not loop for ever', () => {
    expect(
      overridesFor(refused(CODE.invalidRecord, 9), outputs(1, 2), names, NO_OVERRIDES)?.batchRecords,
    ).toBe(1)
  })

  test('a single record without an origin cannot be named: the shard halts instead of trying for ever', () => {
    const batch = encodeBatch([{ timestamp: 0, key: null, value: 'x' }])
    if (batch === undefined) throw new Error('no batch')
    const part = { topic: 'out', partition: 0, bytes: batch.bytes, records: 1 }
    expect(overridesFor(refused(CODE.invalidRecord), part, names, NO_OVERRIDES)).toBeUndefined()
  })

  test('what was found before is kept', () => {
    const before = overrides({ dead: new Map([[1, 'a']]), references: new Set([2]) })
    const found = overridesFor(refused(CODE.messageTooLarge), outputs(3), names, before)
    expect([...(found?.dead.keys() ?? [])]).toEqual([1, 3])
    expect(found?.references).toEqual(new Set([2]))
  })

  test('a letter that does not fit becomes a reference', () => {
    expect(overridesFor(refused(CODE.messageTooLarge), letters(8), names, NO_OVERRIDES)).toEqual(
      overrides({ references: new Set([8]) }),
    )
  })

  test('where even the reference is refused nothing smaller can be tried', () => {
    const before = overrides({ references: new Set([8]) })
    expect(overridesFor(refused(CODE.messageTooLarge), letters(8), names, before)).toBeUndefined()
  })

  test.each([names.state, names.drops])('a refused record of %s can only halt the shard', (topic) => {
    const part = { ...outputs(1), topic }
    expect(overridesFor(refused(CODE.messageTooLarge), part, names, NO_OVERRIDES)).toBeUndefined()
  })
})

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { AT } from '../../cluster/kafka/codec/layout.ts'
import { stamp } from '../../cluster/kafka/codec/stamp.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import type { TaskResult } from '../../workers/task.ts'
import { brokerBatch, decoded, headerOf, NOW, record } from './support/batches.ts'
import { fatesOf, MAX_BATCH, runTask } from './support/task-world.ts'

const batch = (baseOffset: number, ...values: readonly unknown[]) =>
  brokerBatch(
    values.map((value) => record(value)),
    { baseOffset },
  )
/** One bit of the first record. */
const flip = (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(AT.records + 2) ^ 1, AT.records + 2)
const fates = (result: TaskResult) => fatesOf(result).map(({ fate }) => fate)
const letterOf = (result: TaskResult) => {
  const [letter] = decoded(result.letters)
  if (letter === undefined) throw new Error('no letter')
  return letter
}

describe('a batch that cannot be read', () => {
  test('broken checksum: a letter for each of its offsets, its neighbours unharmed', async () => {
    const broken = batch(1, { n: 1 }, { n: 2 }, { n: 3 })
    flip(broken)
    const found = await runTask([batch(0, { n: 0 }), broken, batch(4, { n: 4 })])
    expect(fatesOf(found)).toEqual([
      { offset: 0, fate: 'output' },
      ...[1, 2, 3].map((offset) => ({ offset, fate: 'batch-corrupt' })),
      { offset: 4, fate: 'output' },
    ])
    expect(found.dead).toBe(3)
    const [letter] = decoded(found.letters)
    expect(letter && [letter.key, letter.value, headerOf(letter, HEADER.errorMessage)]).toEqual([
      null,
      null,
      'the checksum of a batch does not match',
    ])
  })

  test('records that end early: what was read keeps its fate, each remaining offset gets a letter', async () => {
    const whole = batch(0, { n: 0 }, { do: 'drop' }, { n: 2 }, { n: 3 })
    const cut = Buffer.from(whole.subarray(0, whole.length - 8))
    cut.writeInt32BE(cut.length - 12, AT.length)
    stamp(cut, -1, -1, -1)
    expect(fates(await runTask([cut, batch(4, { n: 4 })]))).toEqual([
      'output',
      'drop unwanted',
      'output',
      'batch-corrupt',
      'output',
    ])
  })

  test('the same after asynchronous steps', async () => {
    const whole = batch(0, { async: true, turns: 3 }, { async: true }, { n: 2 }, { n: 3 })
    const cut = Buffer.from(whole.subarray(0, whole.length - 8))
    cut.writeInt32BE(cut.length - 12, AT.length)
    stamp(cut, -1, -1, -1)
    expect(fates(await runTask([cut]))).toEqual(['output', 'output', 'output', 'batch-corrupt'])
  })

  test('a batch that would decompress beyond the bound is not decompressed', async () => {
    const bomb = brokerBatch([record({ x: 'x'.repeat(100_000) }), record({})], {
      baseOffset: 0,
      codec: 'gzip',
    })
    expect(bomb.length).toBeLessThan(2000)
    const found = await runTask([bomb, batch(2, {})], {}, { maxDecompressedBytes: 50_000 })
    expect(fates(found)).toEqual(['batch-too-large', 'batch-too-large', 'output'])
  })

  test('only the offsets of the range get letters', async () => {
    const broken = batch(0, {}, {}, {}, {})
    flip(broken)
    expect(fatesOf(await runTask([broken], { from: 1, to: 3 })).map(({ offset }) => offset)).toEqual([1, 2])
  })

  test('a letter that does not fit even without its record is an error, never silence', async () => {
    const broken = batch(0, {})
    flip(broken)
    const letters = { topic: 'dlq', partitions: 1, maxBatchBytes: 100, maxAhead: 0, logAppendTime: false }
    await expect(runTask([broken], {}, { letters })).rejects.toThrow('not even a reference to offset 0')
  })
})

describe('timestamps', () => {
  test('too far ahead: clamped to what the broker takes, the original in a header', async () => {
    const far = NOW + 10 * 3_600_000
    const records = [record({ n: 1 }, { timestamp: far }), record({ n: 2 }, { timestamp: NOW + 1000 })]
    const { outputs } = await runTask([brokerBatch(records, { baseOffset: 0 })])
    const [clamped, kept] = decoded(outputs)
    if (clamped === undefined || kept === undefined) throw new Error('two outputs')
    expect([clamped.timestamp, headerOf(clamped, HEADER.originalTimestamp)]).toEqual([
      NOW + 3_599_000,
      String(far),
    ])
    expect([kept.timestamp, headerOf(kept, HEADER.originalTimestamp)]).toEqual([NOW + 1000, undefined])
  })
})

describe('sizes', () => {
  test('an output too large for its topic becomes a letter, its neighbours stay', async () => {
    const found = await runTask([batch(0, { n: 1 }, { pad: MAX_BATCH }, { n: 2 })])
    expect(fates(found)).toEqual(['output', 'output-too-large', 'output'])
    expect(found.folded.windows.find(({ aggregate }) => aggregate === 'all')?.value).toBe(2)
  })

  test('a text is measured in bytes before it is refused', async () => {
    // Two bytes a character: three a character would not fit.
    const found = await runTask([batch(0, { pad: (MAX_BATCH - 2600) / 2 })])
    expect(fates(found)).toEqual(['output'])
  })

  test('outputs are split so that every batch is taken', async () => {
    const many = Array.from({ length: 100 }, () => ({ pad: 500 }))
    const found = await runTask([batch(0, ...many)])
    expect(found.outputs.length).toBeGreaterThan(4)
    for (const { bytes } of found.outputs) expect(bytes.length).toBeLessThanOrEqual(MAX_BATCH)
    expect(fatesOf(found).map(({ offset }) => offset)).toEqual(many.map((_, offset) => offset))
  })

  test('a letter too large becomes a reference with the hash of its value', async () => {
    const value = `{${'x'.repeat(MAX_BATCH)}`
    const found = await runTask([
      brokerBatch([record(value, { key: 'k', headers: [['h', 'v']] })], { baseOffset: 5 }),
    ])
    const letter = letterOf(found)
    expect([letter.key, letter.value]).toEqual([Buffer.from('k'), null])
    expect(headerOf(letter, HEADER.valueSha256)).toBe(createHash('sha256').update(value).digest('hex'))
    expect(headerOf(letter, HEADER.origin)).toBe('in/2/5')
    expect(headerOf(letter, HEADER.errorCode)).toBe('not-json')
    expect(headerOf(letter, 'h')).toBeUndefined()
  })

  test('a key too large for its letter goes too', async () => {
    const letter = letterOf(
      await runTask([brokerBatch([record('{', { key: 'k'.repeat(MAX_BATCH) })], { baseOffset: 0 })]),
    )
    expect([letter.key, letter.value, headerOf(letter, HEADER.origin)]).toEqual([null, null, 'in/2/0'])
  })

  test('headers alone can be too large', async () => {
    const headers = Array.from({ length: 300 }, (_, n) => [`h${n}`, 'v'.repeat(100)] as const)
    const letter = letterOf(await runTask([brokerBatch([record('{', { headers })], { baseOffset: 0 })]))
    expect([letter.value, headerOf(letter, HEADER.valueSha256)]).toEqual([
      null,
      createHash('sha256').update('{').digest('hex'),
    ])
  })
})

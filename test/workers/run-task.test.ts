import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import type { PlainRecord } from '../../cluster/kafka/codec/records.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { Folder } from '../../pipelines/api/folder.ts'
import { NO_OVERRIDES } from '../../workers/task.ts'
import { compressors } from '../cluster/kafka/codec/compressors.ts'
import { brokerBatch, decoded, headerOf, NOW, record } from './support/batches.ts'
import { fatesOf, pipeline, prepared, runTask, underWay } from './support/task-world.ts'

const one = (record: PlainRecord, baseOffset = 0) => brokerBatch([record], { baseOffset })
const values = (...all: readonly unknown[]) =>
  brokerBatch(
    all.map((value) => record(value)),
    { baseOffset: 0 },
  )

/** A record and what must become of it. */
/** No retries. */
const ONCE = { retries: { attempts: 1, delay: 0, jitter: 0 } }
const kinds: Readonly<Record<string, { readonly value: unknown; readonly fate: string }>> = {
  fine: { value: { n: 1 }, fate: 'output' },
  dropped: { value: { do: 'drop' }, fate: 'drop unwanted' },
  dead: { value: { do: 'dead' }, fate: 'refused' },
  retried: { value: { do: 'retry' }, fate: 'parked lookup-down' },
  throws: { value: { do: 'throw' }, fate: 'parked process-threw' },
  tombstone: { value: null, fate: 'tombstone' },
  'no JSON': { value: '{"a":', fate: 'not-json' },
  'no UTF-8': { value: Buffer.from([0xff, 0x7b]), fate: 'not-utf8' },
  'no object': { value: '[1]', fate: 'not-an-object' },
  misfit: { value: { do: {} }, fate: 'schema:do' },
  later: { value: { async: true, turns: 2 }, fate: 'output' },
  soon: { value: { async: true }, fate: 'output' },
  'later dead': { value: { async: true, turns: 1, do: 'dead' }, fate: 'refused' },
  'later thrown': { value: { async: true, turns: 1, do: 'throw' }, fate: 'parked process-threw' },
}
const kind = fc.constantFrom(...Object.keys(kinds))
const batches = fc.array(
  fc.record({
    kinds: fc.array(kind, { minLength: 1, maxLength: 8 }),
    codec: fc.constantFrom(undefined, ...Object.keys(compressors)),
    gap: fc.nat(2),
    holes: fc.nat(2),
  }),
  { minLength: 1, maxLength: 4 },
)

interface Laid {
  readonly bytes: Buffer[]
  readonly wanted: { readonly offset: number; readonly fate: string }[]
  readonly end: number
}
const layOut = (
  all: (typeof batches)['generate'] extends (...args: never[]) => { value: infer B } ? B : never,
): Laid => {
  const laid: Laid = { bytes: [], wanted: [], end: 0 }
  let at = 0
  for (const { kinds: names, codec, gap, holes } of all) {
    at += gap
    const records = names.map((name) => record(kinds[name]?.value))
    laid.bytes.push(
      brokerBatch(records, { baseOffset: at, holes, ...(codec === undefined ? {} : { codec }) }),
    )
    laid.wanted.push(...names.map((name, i) => ({ offset: at + i, fate: kinds[name]?.fate ?? '' })))
    at += names.length + holes
  }
  return { ...laid, end: at }
}

describe('one task', () => {
  test('gives every offset of its range exactly one of output, letter, drop and parking, in order', async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(40), fc.nat(40), async (all, a, b) => {
        const { bytes, wanted, end } = layOut(all)
        const [from = 0, to = 0] = [a % (end + 1), b % (end + 1)].sort((x, y) => x - y)
        const found = await runTask(bytes, { from, to })
        const inside = wanted.filter(({ offset }) => offset >= from && offset < to)
        expect(fatesOf(found)).toEqual(inside)
        const { done, dead, dropped, parks } = found
        expect(done + dead + dropped + parks.length).toBe(inside.length)
        expect(done).toBe(inside.filter(({ fate }) => fate === 'output').length)
        expect(found.folded.windows.find(({ aggregate }) => aggregate === 'all')?.value ?? 0).toBe(done)
      }),
      { numRuns: 200 },
    )
  })

  test('two halves of a range come to what the whole comes to', async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(40), async (all, cut) => {
        const { bytes, end } = layOut(all)
        const middle = cut % (end + 1)
        const [whole, left, right] = await Promise.all([
          runTask(bytes),
          runTask(bytes, { to: middle }),
          runTask(bytes, { from: middle }),
        ])
        expect([...fatesOf(left), ...fatesOf(right)]).toEqual(fatesOf(whole))
      }),
      { numRuns: 50 },
    )
  })

  test('keeps the order of asynchronous steps whatever ends first, and no more than `concurrency` at once', async () => {
    underWay.most = 0
    const slowFirst = Array.from({ length: 20 }, (_, n) => ({ async: true, turns: 20 - n, n }))
    const { outputs } = await runTask([values(...slowFirst)], {}, { concurrency: 3 })
    expect(decoded(outputs).map(({ value }) => JSON.parse(value?.toString() ?? '').n)).toEqual(
      slowFirst.map(({ n }) => n),
    )
    expect(underWay.most).toBe(3)
  })

  test("a promise of the pipeline's own make is awaited like any other", async () => {
    expect(fatesOf(await runTask([values({ n: 1 }, { foreign: true }, { n: 2 })]))).toEqual(
      [0, 1, 2].map((offset) => ({ offset, fate: 'output' })),
    )
  })

  test('without retries a retry ends as a dead letter with its code', async () => {
    const { letters } = await runTask([values({ do: 'retry' })], {}, ONCE)
    const [letter] = decoded(letters)
    if (letter === undefined) throw new Error('no letter')
    const header = (name: string) => headerOf(letter, name)
    expect([header(HEADER.errorCode), header(HEADER.errorMessage), header(HEADER.attempts)]).toEqual([
      'lookup-down',
      'try later',
      '1',
    ])
    expect([header(HEADER.pipeline), header(HEADER.failedAt)]).toEqual(['p', new Date(NOW).toISOString()])
  })

  test('dropped neighbours with one code are one range', async () => {
    const { drops } = await runTask([values({ do: 'drop' }, { do: 'drop' }, {}, { do: 'drop' })])
    expect(drops).toEqual([
      { partition: 2, from: 0, to: 1, code: 'unwanted' },
      { partition: 2, from: 3, to: 3, code: 'unwanted' },
    ])
  })
})

describe('what a letter keeps', () => {
  const headers: [string, Buffer | null][] = [
    ['dup', Buffer.from('a')],
    ['dup', Buffer.from('b')],
    ['none', null],
    ['', Buffer.from([0, 255])],
    [HEADER.origin, Buffer.from('elsewhere/7/7')],
  ]

  test('key, value bytes and headers as they were: duplicates, nulls, foreign origins', async () => {
    const value = Buffer.from([0xff, 0x00, 0x7b])
    const key = Buffer.from([1, 2, 3])
    const { letters } = await runTask([one({ timestamp: NOW - 5, key, value, headers }, 9)])
    const [letter] = decoded(letters)
    expect(letter).toMatchObject({ key, value, timestamp: NOW - 5 })
    // The own origin comes first: whoever looks for it finds this one.
    expect(letter?.headers[0]).toEqual([HEADER.origin, Buffer.from('in/2/9')])
    expect(letter?.headers.slice(-headers.length)).toEqual(headers)
  })

  test('a tombstone stays one', async () => {
    const { letters } = await runTask([one({ timestamp: NOW, key: 'k', value: null })])
    expect(decoded(letters)).toMatchObject([{ key: Buffer.from('k'), value: null }])
  })

  test('outputs keep key and timestamp', async () => {
    const { outputs } = await runTask([one(record({ n: 1 }, { key: 'k', timestamp: 17 }), 4)])
    const [output] = decoded(outputs)
    expect(output).toMatchObject({ key: Buffer.from('k'), timestamp: 17 })
    expect(output?.headers).toEqual([[HEADER.origin, Buffer.from('in/2/4')]])
  })
})

describe('late records', () => {
  test('outputs are marked exactly where the folder left them out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(200), { minLength: 1 }), fc.nat(200), async (times, watermark) => {
        const { outputs, late } = await runTask([values(...times.map((at) => ({ at })))], { watermark })
        const folder = new Folder(pipeline.aggregates ?? {}, { watermark, now: NOW })
        const wanted = times.map((at) => folder.add({ at }, at).join(',') || undefined)
        expect(decoded(outputs).map((output) => headerOf(output, HEADER.late))).toEqual(wanted)
        expect(late).toBe(wanted.filter((names) => names !== undefined).length)
      }),
      { numRuns: 50 },
    )
  })
})

describe('where an output goes', () => {
  const keys = Array.from({ length: 60 }, (_, n) => `key ${n} é`)
  const run = (outputMapping: 'same' | 'key', partition: number) =>
    runTask(
      [
        brokerBatch(
          keys.map((key) => record({ n: 1 }, { key })),
          { baseOffset: 0 },
        ),
      ],
      { outputMapping, partition },
    )

  test('same: the partition of the input, modulo where the output has fewer', async () => {
    for (const [partition, target] of [
      [2, 2],
      [6, 2],
    ] as const) {
      const { outputs } = await run('same', partition)
      expect(new Set(outputs.map((one) => one.partition))).toEqual(new Set([target]))
    }
  })

  test("key: where kafkajs's default partitioner puts it", async () => {
    const partitioner = Partitioners.DefaultPartitioner()
    const partitionMetadata = [0, 1, 2, 3].map((partitionId) => ({
      partitionId,
      leader: 1,
      partitionErrorCode: 0,
      replicas: [],
      isr: [],
    }))
    const { outputs } = await run('key', 0)
    expect(new Set(outputs.map(({ partition }) => partition)).size).toBe(4)
    let checked = 0
    for (const produced of outputs)
      for (const { key } of decoded([produced])) {
        const message = { key, value: null }
        expect(partitioner({ topic: 'out', partitionMetadata, message })).toBe(produced.partition)
        checked++
      }
    expect(checked).toBe(keys.length)
  })

  test('a null key goes by the partition of the input', async () => {
    const { outputs } = await runTask([values({ n: 1 })], { outputMapping: 'key', partition: 3 })
    expect(outputs.map(({ partition }) => partition)).toEqual([3])
  })

  test('letters stay in the partition of the input', async () => {
    const records = keys.map((key) => record({ do: 'dead' }, { key }))
    const { letters } = await runTask([brokerBatch(records, { baseOffset: 0 })], {
      outputMapping: 'key',
      partition: 1,
    })
    expect(new Set(letters.map(({ partition }) => partition))).toEqual(new Set([1]))
  })
})

describe('overrides', () => {
  test('condemned offsets become letters whatever the pipeline says, and are not run', async () => {
    const dead = new Map([[1, 'thread-exit']])
    const found = await runTask([values({ n: 0 }, { do: 'drop' }, { n: 2 })], {
      overrides: { ...NO_OVERRIDES, dead },
    })
    expect(fatesOf(found)).toEqual([
      { offset: 0, fate: 'output' },
      { offset: 1, fate: 'thread-exit' },
      { offset: 2, fate: 'output' },
    ])
  })

  test('letters of named offsets carry a reference', async () => {
    const references = new Set([1])
    const { letters } = await runTask([values({ do: 'dead' }, { do: 'dead' })], {
      overrides: { ...NO_OVERRIDES, references },
    })
    expect(decoded(letters).map(({ value }) => value === null)).toEqual([false, true])
  })

  test('batches hold no more records than they may', async () => {
    const found = await runTask([values({}, {}, {}, {}, {})], {
      overrides: { ...NO_OVERRIDES, batchRecords: 2 },
    })
    expect(found.outputs.map(({ records }) => records)).toEqual([2, 2, 1])
    expect(fatesOf(found)).toHaveLength(5)
  })
})

test('a pipeline is prepared once: its tasks share nothing else', async () => {
  const twice = await Promise.all([runTask([values({ n: 1 })]), runTask([values({ n: 1 })])])
  expect(twice.map(({ folded }) => folded.windows.length)).toEqual([2, 2])
  expect(prepared.pipeline.name).toBe('p')
})

import { describe, expect, test } from 'vitest'
import type { PlainRecord } from '../../cluster/kafka/codec/records.ts'
import { HEADER } from '../../cluster/protocol/headers.ts'
import { formatTraceparent, parseTraceparent, rootContext } from '../../cluster/trace.ts'
import type { Settled, Task } from '../../workers/task.ts'
import { TraceBudget } from '../../workers/trace-budget.ts'
import { brokerBatch, decoded, headerOf, record } from './support/batches.ts'
import { runTask } from './support/task-world.ts'

const ALWAYS = { sampling: { ratio: 1 } }
const BY_HEADER = { sampling: { ratio: 0 } }

type Headers = readonly (readonly [string, string])[]
const withHeaders = (value: unknown, headers: Headers = []): PlainRecord => ({ ...record(value), headers })
const context = (sampled: boolean) => formatTraceparent(rootContext(sampled))
const run = (records: readonly PlainRecord[], thread: object, more: Partial<Task> = {}) =>
  runTask([brokerBatch(records, { baseOffset: 0 })], { traces: 8, ...more }, thread)
const outputsOf = ({ outputs }: Awaited<ReturnType<typeof run>>) => decoded(outputs)
const lettersOf = ({ letters }: Awaited<ReturnType<typeof run>>) => decoded(letters)
const traceOf = (one: Parameters<typeof headerOf>[0] | undefined) => one && headerOf(one, HEADER.traceparent)

describe('a record that came with a trace', () => {
  test('sampled: it has a span under its cause, and its output names that span', async () => {
    const cause = context(true)
    const result = await run([withHeaders({ n: 1 }, [['traceparent', cause]])], BY_HEADER)
    const [traced] = result.traced
    expect(traced).toMatchObject({ offset: 0, parent: cause, outcome: 'done' })
    expect(parseTraceparent(traced?.own ?? '')?.traceId).toBe(parseTraceparent(cause)?.traceId)
    expect(traceOf(outputsOf(result)[0])).toBe(traced?.own)
    expect(traced?.to).toBeGreaterThanOrEqual(traced?.from ?? Number.NaN)
  })

  test('not sampled: its context is handed on as it is, and nothing is told', async () => {
    const cause = context(false)
    const result = await run([withHeaders({ n: 1 }, [['traceparent', cause]])], ALWAYS)
    expect([result.traced, result.untraced]).toEqual([[], 0])
    expect(traceOf(outputsOf(result)[0])).toBe(cause)
  })

  test('nobody listens: its context is handed on all the same', async () => {
    const cause = context(true)
    const result = await run([withHeaders({ n: 1 }, [['traceparent', cause]]), record({ n: 2 })], {})
    expect(result.traced).toEqual([])
    expect(outputsOf(result).map(traceOf)).toEqual([cause, undefined])
  })

  test.each([
    ['forged', 'x'.repeat(5000)],
    ['of another version', `01-${'a'.repeat(32)}-${'b'.repeat(16)}-01`],
    ['empty', ''],
  ])('%s: it counts as none', async (_, text) => {
    const result = await run([withHeaders({ n: 1 }, [['traceparent', text]])], BY_HEADER)
    expect(result.traced).toEqual([])
    expect(traceOf(outputsOf(result)[0])).toBeUndefined()
  })

  test('the last of several counts, and nothing but it reaches the output', async () => {
    const cause = context(false)
    const headers: Headers = [
      ['traceparent', context(true)],
      ['baggage', 'user=7'],
      ['tracestate', 'a=b'],
      ['traceparent', cause],
    ]
    const [output] = outputsOf(await run([withHeaders({ n: 1 }, headers)], BY_HEADER))
    expect(output?.headers.map(([name]) => name)).toEqual([HEADER.origin, HEADER.traceparent])
    expect(traceOf(output)).toBe(cause)
  })
})

describe('sampling', () => {
  test('records without a trace begin one in their share', async () => {
    const records = Array.from({ length: 4000 }, () => record({ n: 1 }))
    const { traced, untraced } = await run(records, { sampling: { ratio: 0.1 } })
    const share = (traced.length + untraced) / records.length
    expect(share).toBeGreaterThan(0.06)
    expect(share).toBeLessThan(0.15)
    expect(traced.every(({ parent }) => parent === undefined)).toBe(true)
  })

  test('no more than the task may: half of it for plain records, the rest is counted', async () => {
    const records = Array.from({ length: 20 }, () => record({ n: 1 }))
    const { traced, untraced } = await run(records, ALWAYS, { traces: 8 })
    expect([traced.length, untraced]).toEqual([4, 16])
  })

  test('failures find room where plain records no longer do', async () => {
    const records = [...Array.from({ length: 20 }, () => record({ n: 1 })), record({ do: 'dead' })]
    const { traced } = await run(records, ALWAYS, { traces: 8 })
    expect(traced.at(-1)).toMatchObject({ offset: 20, outcome: 'dead', code: 'refused' })
  })

  test('a worker makes so many a second, however many are offered', () => {
    const budget = new TraceBudget(0)
    let spans = 0
    for (let now = 0; now <= 10_000; now += 10) {
      const some = budget.offer(now)
      budget.spend(some)
      spans += some
    }
    expect(spans).toBeGreaterThan(450)
    expect(spans).toBeLessThan(620)
  })
})

describe('failures', () => {
  test('begin a trace where there is none; letter and parked record name it', async () => {
    const result = await run([record({ do: 'dead' }), record({ do: 'retry' })], { sampling: { ratio: 1e-9 } })
    const [dead, parked] = result.traced
    expect(dead).toMatchObject({ offset: 0, outcome: 'dead', code: 'refused' })
    expect(parked).toMatchObject({ offset: 1, outcome: 'retry', code: 'lookup-down' })
    expect(traceOf(lettersOf(result)[0])).toBe(dead?.own)
    expect(result.parks[0]?.trace).toBe(parked?.own)
  })

  test('stay silent where the sampler is off or the trace is not sampled; the letter has a context all the same', async () => {
    const cause = context(false)
    const records = [record({ do: 'dead' }), withHeaders({ do: 'dead' }, [['traceparent', cause]])]
    for (const thread of [BY_HEADER, {}]) {
      const result = await run(records, thread)
      expect(result.traced).toEqual([])
      const [own, handedOn] = lettersOf(result).map(traceOf)
      expect(parseTraceparent(own ?? '')).toMatchObject({ sampled: false })
      expect(handedOn).toBe(cause)
    }
  })

  test('a result of retries goes on with the trace of its last run', async () => {
    const last = context(true)
    const settled = new Map<number, Settled>([
      [0, { outcome: 'done', json: '{"n":1}', attempts: 3, trace: last }],
    ])
    const result = await run([record({ n: 1 })], BY_HEADER, { settled })
    expect(result.traced[0]).toMatchObject({ parent: last, outcome: 'done' })
    expect(traceOf(outputsOf(result)[0])).toBe(result.traced[0]?.own)
  })

  test('codes are counted by outcome', async () => {
    const kinds = ['dead', 'dead', 'drop', 'retry']
    const result = await run([...kinds.map((kind) => record({ do: kind })), record({ n: 1 })], {})
    expect(result.codes).toEqual([
      { outcome: 'dead', code: 'refused', records: 2 },
      { outcome: 'drop', code: 'unwanted', records: 1 },
      { outcome: 'retry', code: 'lookup-down', records: 1 },
    ])
  })
})

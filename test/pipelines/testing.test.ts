import fc from 'fast-check'
import Type from 'typebox'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { batch, hourly, total } from '../../pipelines/api/aggregates.ts'
import { definePipeline } from '../../pipelines/api/define.ts'
import { dead, drop, retry } from '../../pipelines/api/outcome.ts'
import { type Outcome, record, run } from '../../pipelines/testing.ts'
import { brokerBatch, record as kafkaRecord } from '../workers/support/batches.ts'
import { fatesOf, runTask, pipeline as taskPipeline } from '../workers/support/task-world.ts'

const NOW = Date.UTC(2026, 2, 1, 12, 30)
const HOUR = 3_600_000

const orders = definePipeline({
  name: 'orders',
  topics: { input: 'in', output: 'out', deadLetters: 'dlq', insights: 'insights' },
  schema: Type.Object({
    id: Type.String(),
    price: Type.Number(),
    at: Type.Integer({ default: NOW }),
    tag: Type.String({ default: 'plain' }),
  }),
  options: Type.Object({
    rate: Type.Number({ default: 1 }),
    each: Type.Integer({ default: 2 }),
    salt: Type.String({ secret: true, minLength: 8 }),
  }),
  setup: ({ salt }) => ({ salted: (id: string) => `${id}-${salt.length}` }),
  process: async (order, ctx) => {
    if (order.tag === 'test') return drop('test-order')
    if (order.price < 0) return dead('negative', 'below zero')
    if (order.tag === 'busy') return retry('stock-busy')
    return { ...order, price: order.price * ctx.options.rate, salted: ctx.resources.salted(order.id) }
  },
  masks: { id: () => '***' },
  eventTime: (order) => order.at,
  aggregates: {
    orders: total.count(),
    turnover: hourly.sum('price'),
    failed: total.errors(),
    best: total.top('tag', 1),
    of_batch: batch.sum('price'),
  },
  insights: {
    each: ({ each }) => each,
    messages: (figures, { records }) => [
      { so_far: figures.number('orders'), of_batch: figures.number('of_batch'), records },
    ],
  },
  clusterInsights: {
    seconds: 5,
    messages: (figures) => [{ key: 'orders', value: { orders: figures.number('orders') } }],
  },
  errorClass: (code) => (code.startsWith('schema:') ? 'validation' : code),
})
const order = (price: number, more: object = {}) => ({ id: 'a', price, ...more })

const fateOf = (outcome: Outcome): string => {
  if (outcome.outcome === 'done') return 'output'
  const words = { drop: 'drop ', retry: 'parked ', dead: '' }
  return `${words[outcome.outcome]}${outcome.code}`
}

const taskValue = fc.oneof(
  fc.constantFrom(null, '{"a":', '[1]', Buffer.from([0xff]), 'true'),
  fc.record(
    {
      do: fc.constantFrom<unknown>('drop', 'dead', 'retry', 'throw', 'nothing', {}),
      async: fc.boolean(),
      foreign: fc.boolean(),
      turns: fc.nat(3),
      at: fc.nat(50),
    },
    { requiredKeys: [] },
  ),
)

test('outcomes and aggregates are what a thread makes of the same records', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(taskValue, { minLength: 1, maxLength: 30 }), async (values) => {
      const task = await runTask([
        brokerBatch(
          values.map((value) => kafkaRecord(value)),
          { baseOffset: 0 },
        ),
      ])
      const { outcomes, aggregates } = await run(taskPipeline, values)
      expect(outcomes.map((outcome, offset) => ({ offset, fate: fateOf(outcome) }))).toEqual(fatesOf(task))
      // Of a count the value itself is what people see.
      const windows: Record<string, unknown> = {}
      for (const { aggregate, start, value } of task.folded.windows)
        if (aggregate === 'short') windows[new Date(start).toISOString()] = value
      expect(aggregates).toEqual({ all: task.done, short: windows })
    }),
    { numRuns: 100 },
  )
})

describe('outcomes', () => {
  test('are done, dead, retry and drop, one a value, the value as it would be written', async () => {
    const values = [order(2), order(-1), order(1, { tag: 'busy' }), order(1, { tag: 'test' })]
    const { outcomes } = await run(orders, values, { options: { rate: 3, salt: '12345678' } })
    expect(outcomes).toEqual([
      { outcome: 'done', value: { id: '***', price: 6, at: NOW, tag: 'plain', salted: 'a-8' } },
      { outcome: 'dead', code: 'negative', message: 'below zero' },
      { outcome: 'retry', code: 'stock-busy', message: '' },
      { outcome: 'drop', code: 'test-order' },
    ])
  })

  test('hold what a reader of the output would parse', async () => {
    const dated = definePipeline({
      name: 'dated',
      topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
      schema: Type.Object({}),
      process: () => ({ at: new Date(0), none: undefined }),
    })
    expect((await run(dated, [{}])).outcomes).toStrictEqual([
      { outcome: 'done', value: { at: '1970-01-01T00:00:00.000Z' } },
    ])
  })

  test('have the type of what process returns', async () => {
    const { outcomes } = await run(orders, [])
    type Value = Extract<(typeof outcomes)[number], { outcome: 'done' }>['value']
    expectTypeOf<Value>().toEqualTypeOf<{
      id: string
      price: number
      at: number
      tag: string
      salted: string
    }>()
    expect(outcomes).toEqual([])
  })

  test('texts and bytes are raw values, null is a tombstone, anything else its JSON', async () => {
    const { outcomes } = await run(orders, ['{"id":', Buffer.from([0xff]), null, 7, [], new Uint8Array()])
    expect(outcomes.map(fateOf)).toEqual([
      'not-json',
      'not-utf8',
      'tombstone',
      'not-an-object',
      'not-an-object',
      'not-json',
    ])
  })

  test('a value that no record can hold is refused', async () => {
    await expect(run(orders, [() => 1])).rejects.toThrow('no record can hold this value (function)')
  })
})

describe('the context', () => {
  const asking = definePipeline({
    name: 'asking',
    topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
    schema: Type.Object({}),
    process: (_, { key, headers, timestamp, origin, now, attempt, signal }) => ({
      key: key && String(key),
      headers: headers.map(([name, value]) => [name, value && String(value)]),
      timestamp,
      at: `${origin.topic}/${origin.partition}/${origin.offset}`,
      now,
      attempt,
      aborted: signal.aborted,
    }),
  })
  const seen = (run: { readonly outcomes: readonly Outcome[] }) =>
    run.outcomes.map((outcome) => (outcome.outcome === 'done' ? outcome.value : outcome))

  test('is a first attempt without key or headers, now, at offsets that count up', async () => {
    const plain = { key: null, headers: [], timestamp: NOW, now: NOW, attempt: 1, aborted: false }
    expect(seen(await run(asking, [{}, {}], { now: NOW }))).toEqual([
      { ...plain, at: 'in/0/0' },
      { ...plain, at: 'in/0/1' },
    ])
  })

  test('is set for all records, and for each by `record`', async () => {
    const all = { now: NOW, key: 'k', headers: { a: '1', b: null }, timestamp: 5, partition: 2 }
    const own = {
      key: null,
      headers: [['h', Buffer.from('x')]] as const,
      timestamp: 6,
      partition: 0,
      attempt: 3,
    }
    expect(seen(await run(asking, [{}, record({}, own), record({}, { attempt: 2 })], all))).toEqual([
      {
        key: 'k',
        headers: [
          ['a', '1'],
          ['b', null],
        ],
        timestamp: 5,
        at: 'in/2/0',
        now: NOW,
        attempt: 1,
        aborted: false,
      },
      { key: null, headers: [['h', 'x']], timestamp: 6, at: 'in/0/0', now: NOW, attempt: 3, aborted: false },
      {
        key: 'k',
        headers: [
          ['a', '1'],
          ['b', null],
        ],
        timestamp: 5,
        at: 'in/2/1',
        now: NOW,
        attempt: 2,
        aborted: false,
      },
    ])
    expect(seen(await run(asking, [{}], { signal: AbortSignal.abort() }))).toMatchObject([{ aborted: true }])
  })

  test('without `now` it is the clock', async () => {
    const before = Date.now()
    const [value] = seen(await run(asking, [{}]))
    expect(value).toMatchObject({ now: expect.toSatisfy((now) => now >= before && now <= Date.now()) })
  })
})

test('asynchronous steps overlap up to `concurrency`, outcomes keep the order', async () => {
  let [underWay, most] = [0, 0]
  const slow = definePipeline({
    name: 'slow',
    topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
    schema: Type.Object({ turns: Type.Integer() }),
    process: async ({ turns }) => {
      most = Math.max(most, ++underWay)
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      underWay--
      return { turns }
    },
  })
  const values = Array.from({ length: 40 }, (_, i) => ({ turns: 40 - i }))
  const { outcomes } = await run(slow, values)
  expect(outcomes).toEqual(values.map((value) => ({ outcome: 'done', value })))
  expect(most).toBe(16)
  most = 0
  await run(slow, values, { concurrency: 3 })
  expect(most).toBe(3)
})

describe('aggregates and insights', () => {
  test('are as people see them: totals, windows by their start, errors by class', async () => {
    const values = [
      order(1),
      order(2, { at: NOW + HOUR, tag: 'gift' }),
      order(4, { tag: 'gift' }),
      order(-1),
      'x',
      {},
      order(1, { tag: 'busy' }),
    ]
    const { aggregates } = await run(orders, values, { now: NOW })
    expect(aggregates).toEqual({
      orders: 3,
      turnover: { '2026-03-01T12:00:00.000Z': 5, '2026-03-01T13:00:00.000Z': 2 },
      failed: { negative: 1, 'not-json': 1, validation: 1 },
      best: { gift: 2 },
    })
    expect(Object.keys(aggregates.turnover ?? {})).toEqual([
      '2026-03-01T12:00:00.000Z',
      '2026-03-01T13:00:00.000Z',
    ])
  })

  test('of no records: totals are empty, windows are none', async () => {
    expect(await run(orders, [])).toEqual({
      outcomes: [],
      aggregates: { orders: 0, turnover: {}, failed: {}, best: {} },
      insights: [],
      rest: 0,
      clusterInsights: [{ key: 'orders', value: { orders: 0 } }],
    })
  })

  test('a window far ahead of `now` takes no record', async () => {
    const { outcomes, aggregates } = await run(orders, [order(1, { at: NOW + 48 * HOUR })], { now: NOW })
    expect(outcomes).toMatchObject([{ outcome: 'done' }])
    expect(aggregates).toMatchObject({ orders: 1, turnover: {} })
  })

  test('insights are published at the record that fills the batch; what does not fill one is the rest', async () => {
    const values = [order(1), order(-1), order(2), order(4), order(8), order(16)]
    const { insights, rest, aggregates, clusterInsights } = await run(orders, values)
    expect(insights).toEqual([
      { so_far: 2, of_batch: 3, records: 2 },
      { so_far: 4, of_batch: 12, records: 2 },
    ])
    expect(rest).toBe(1)
    expect(aggregates).toMatchObject({ orders: 5 })
    expect(clusterInsights).toEqual([{ key: 'orders', value: { orders: 5 } }])
  })

  test('how many fill a batch follows the options; a flush publishes the rest', async () => {
    const values = [order(1), order(2), order(4), order(8)]
    const { insights, rest } = await run(orders, values, { options: { each: 3 }, flush: true })
    expect(insights).toEqual([
      { so_far: 3, of_batch: 7, records: 3 },
      { so_far: 4, of_batch: 8, records: 1 },
    ])
    expect(rest).toBe(0)
  })
})

describe('what production refuses is refused', () => {
  test.each<[string, object, RegExp]>([
    ['an unknown option', { rat: 2 }, /no option MILLRACE_OPTION_RAT/],
    ['one of the wrong type', { rate: 'much' }, /MILLRACE_OPTION_RATE does not fit/],
    ['a secret that is too short', { salt: 'short' }, /MILLRACE_OPTION_SALT does not fit/],
  ])('%s', async (_, options, message) => {
    await expect(run(orders, [order(1)], { options })).rejects.toThrow(message)
  })

  test('an option without a default must be given, unless it is a secret', async () => {
    const needy = definePipeline({
      name: 'needy',
      topics: { input: 'in', deadLetters: 'dlq' },
      schema: Type.Object({}),
      options: Type.Object({ url: Type.String(), key: Type.String({ secret: true }) }),
      process: (_, { options }) => ({ ...options }),
    })
    await expect(run(needy, [])).rejects.toThrow('MILLRACE_OPTION_URL is not set')
    const { outcomes } = await run(needy, [{}], { options: { url: 'u' } })
    expect(outcomes).toEqual([
      { outcome: 'done', value: { url: 'u', key: expect.stringMatching(/^\w{64}$/) } },
    ])
  })

  test('a pipeline that lint would refuse, with every problem named', async () => {
    const broken = { ...orders, name: 'or ders', topics: { input: 'in', deadLetters: 'in' } }
    await expect(run(broken, [])).rejects.toThrow(/\.name must be .*; \.topics\.deadLetters is the same/)
  })

  test('a setup that fails', async () => {
    const failing = { ...orders, setup: () => Promise.reject(new Error('no such file')) }
    await expect(run(failing, [])).rejects.toThrow('setup failed: no such file')
  })
})

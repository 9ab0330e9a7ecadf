/** Types flow from the schema to `process`, to what it returns, and to the masks' and windows' view of it: checked by tsc. */
import { describe, expect, expectTypeOf, test } from 'vitest'
import {
  type Context,
  dead,
  definePipeline,
  drop,
  type JsonObject,
  retry,
  Type,
  type Verdict,
} from '../../../pipelines/api/index.ts'

const pipeline = definePipeline({
  name: 'typed',
  topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
  schema: Type.Object({
    id: Type.String(),
    price: Type.Number(),
    country: Type.Optional(Type.String()),
  }),
  options: Type.Object({ rate: Type.Number({ default: 1 }) }),
  setup: async (options) => {
    expectTypeOf(options).toEqualTypeOf<{ rate: number }>()
    return { names: new Map<string, string>() }
  },
  process: (order, ctx) => {
    expectTypeOf(order).toEqualTypeOf<{ id: string; price: number; country?: string }>()
    expectTypeOf(ctx).toEqualTypeOf<Context<{ rate: number }, { names: Map<string, string> }>>()
    if (order.price < 0) return dead('below-zero')
    if (order.price === 0) return drop('free')
    if (ctx.attempt > 9) return retry('again')
    return { ...order, gross: order.price * ctx.options.rate }
  },
  eventTime: (value) => {
    expectTypeOf(value.gross).toEqualTypeOf<number>()
    expectTypeOf(value.id).toEqualTypeOf<string>()
    return value.gross
  },
})

describe('types flow', () => {
  test('from the schema to the record, from `setup` to the resources, from `process` to the output', async () => {
    type Made = Awaited<ReturnType<NonNullable<typeof pipeline.process>>>
    expectTypeOf<Exclude<Made, Verdict>>().toExtend<{ id: string; price: number; gross: number }>()
    expectTypeOf<Exclude<Made, Verdict>>().toExtend<JsonObject>()
    expect(await pipeline.setup?.({ rate: 2 })).toEqual({ names: new Map() })
  })

  test('and what does not fit is refused', () => {
    definePipeline({
      name: 'wrong',
      topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
      schema: Type.Object({ id: Type.String() }),
      // @ts-expect-error: the schema has no price
      process: (order) => ({ gross: order.price }),
    })
    definePipeline({
      name: 'wrong',
      topics: { input: 'in', output: 'out', deadLetters: 'dlq' },
      schema: Type.Object({ id: Type.String() }),
      // @ts-expect-error: an output is an object
      process: (order) => order.id,
    })
    // @ts-expect-error: dead letters go somewhere
    definePipeline({ name: 'wrong', topics: { input: 'in' }, schema: Type.Object({}) })
    expect(pipeline.name).toBe('typed')
  })
})

/** The compiler checks most of this file: `tsc` is part of the tests. */
import Type from 'typebox'
import { expect, expectTypeOf, test } from 'vitest'
import { hourly } from '../../../pipelines/api/aggregates.ts'
import { type AnyPipeline, definePipeline } from '../../../pipelines/api/define.ts'
import { dead, drop, retry } from '../../../pipelines/api/outcome.ts'

const topics = { input: 'in', output: 'out', deadLetters: 'dlq' }
const schema = Type.Object({ id: Type.String(), amount: Type.Optional(Type.Number()) })

test('types flow from schema and options to process, and from there to eventTime', () => {
  const pipeline = definePipeline({
    name: 'typed',
    topics,
    schema,
    options: Type.Object({ url: Type.String(), limit: Type.Number({ default: 3 }) }),
    setup: (options) => {
      expectTypeOf(options).toEqualTypeOf<{ url: string; limit: number }>()
      return { lookUp: (id: string) => id.length }
    },
    process: async (record, ctx) => {
      expectTypeOf(record).toEqualTypeOf<{ id: string; amount?: number }>()
      expectTypeOf(ctx.options.limit).toBeNumber()
      expectTypeOf(ctx.resources.lookUp).toEqualTypeOf<(id: string) => number>()
      expectTypeOf(ctx.headers[0]).toEqualTypeOf<readonly [string, Uint8Array | null] | undefined>()
      if (record.id === 'r') return retry('later')
      if (record.id === 'd') return dead('never', 'why')
      if (record.id === '') return drop('dull')
      return { ...record, size: ctx.resources.lookUp(record.id), at: ctx.now }
    },
    masks: { id: (text) => text.slice(0, 1) },
    eventTime: (value) => {
      expectTypeOf(value.size).toBeNumber()
      return value.at
    },
    aggregates: { sizes: hourly.sum('size') },
    repair: (value) => ({ ...value, id: '' }),
  })
  expectTypeOf(pipeline).toExtend<AnyPipeline>()
  expect(pipeline.name).toBe('typed')
})

test('what cannot be is refused by the compiler', () => {
  const refused = [
    definePipeline({
      name: 'no such field',
      topics,
      schema,
      // @ts-expect-error the schema has no such field
      process: (record) => ({ x: record.nothing }),
    }),
    // @ts-expect-error dead letters need a topic
    definePipeline({ name: 'no topic', topics: { input: 'in' }, schema }),
    // @ts-expect-error a pipeline returns an object or a verdict
    definePipeline({ name: 'no object', topics, schema, process: () => 'text' }),
  ]
  expect(refused).toHaveLength(3)
})

test('a pipeline without process, options or output topic is one', () => {
  const pipeline = definePipeline({ name: 'least', topics: { input: 'in', deadLetters: 'dlq' }, schema })
  expectTypeOf(pipeline).toExtend<AnyPipeline>()
  expect(pipeline).not.toHaveProperty('process')
})

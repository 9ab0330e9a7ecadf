/** Orders in, priced orders out. */
import { dead, definePipeline, drop, hourly, Type, total } from '../../../pipelines/api/index.ts'

const DEAREST = 10_000

export const pipeline = definePipeline({
  name: 'orders',
  topics: { input: 'orders', output: 'priced-orders', deadLetters: 'orders-dlq' },

  // What does not fit becomes a dead letter: `schema:price` and the like. Other fields pass through.
  schema: Type.Object({
    id: Type.String({ minLength: 1, description: 'a text' }),
    country: Type.String({ default: 'unknown' }),
    email: Type.String(),
    price: Type.Number({ minimum: 0, description: 'a number from 0 on' }),
    test: Type.Optional(Type.Boolean()),
  }),

  // Read from MILLRACE_OPTION_TAX.
  options: Type.Object({ tax: Type.Number({ default: 0.2, description: 'share that is added to a price' }) }),

  // A value is an output; `drop` and `dead` say why there is none.
  process: (order, ctx) => {
    if (order.test) return drop('test-order')
    if (order.price > DEAREST) return dead('too-dear')
    return {
      ...order,
      gross: order.price * (1 + ctx.options.tax),
      priced_at: new Date(ctx.now).toISOString(),
    }
  },

  // Run on what `process` returned, before anything is written.
  masks: { email: (text) => text.replace(/^[^@]*/, '***') },

  // Counted over the outputs: `npx millrace insights ./pipeline.ts`.
  aggregates: {
    orders: hourly.count(),
    orders_by_country: total.countBy('country'),
    turnover: total.sum('gross'),
  },
})

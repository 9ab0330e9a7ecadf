/** Orders, enriched over HTTP with the tier of their customer: what may pass later is a retry, what never will is dead. */
import Type from 'typebox'
import { hourly } from '../../pipelines/api/aggregates.ts'
import { definePipeline } from '../../pipelines/api/define.ts'
import { customers } from './customers.ts'

export const pipeline = definePipeline({
  name: 'http-lookup',
  topics: { input: 'orders', output: 'orders-with-tier', deadLetters: 'orders-dlq' },
  schema: Type.Object({
    id: Type.String({ minLength: 1, description: 'a text' }),
    customer: Type.String({ minLength: 1, maxLength: 100, description: 'a text of 1 to 100 characters' }),
    amount: Type.Number({ minimum: 0, description: 'a number from 0 on' }),
  }),
  options: Type.Object({
    url: Type.String({ default: 'http://127.0.0.1:8080/customers', description: 'a URL, asked with ?id=' }),
    timeout_ms: Type.Integer({ default: 2000, minimum: 1, description: 'ms for one answer' }),
  }),
  setup: ({ url, timeout_ms }) => customers(url, timeout_ms),
  // Up to MILLRACE_CONCURRENCY of these run at once; outputs keep the order of their inputs all the same.
  process: async (order, ctx) => {
    const found = await ctx.resources.tierOf(order.customer, ctx.signal)
    return 'outcome' in found ? found : { ...order, tier: found.tier }
  },
  aggregates: { orders_by_tier: hourly.countBy('tier'), amount: hourly.sum('amount') },
  retries: { attempts: 5, delay: 500, jitter: 0.2 },
})

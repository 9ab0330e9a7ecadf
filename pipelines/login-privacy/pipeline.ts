/** Logins with less of the person in them, how long they took, and errors by class. */
import Type from 'typebox'
import { total } from '../api/aggregates.ts'
import { definePipeline } from '../api/define.ts'
import type { Figures } from '../api/figures.ts'
import { isAddress } from '../steps/address.ts'
import { errorClass } from '../steps/error-classes.ts'
import { maskAllButLastGroup, maskIp } from '../steps/masks.ts'

const text = Type.String({ description: 'a text' })

/** Beyond 2^53 neither the timestamp nor the latency would be whole seconds any more. */
const isTime = (value: number | string): boolean => Number(value) > 0 && Number.isSafeInteger(Number(value))
const seconds = Type.Refine(
  Type.Union([Type.Number(), Type.String({ pattern: '^[0-9]+$' })], {
    description: 'epoch seconds above 0, an integer or a text of digits',
  }),
  isTime,
)

const fields = ['device_type', 'app_version', 'locale'] as const
const sum = (counts: ReturnType<Figures['counts']>): number =>
  counts.reduce((all, [, count]) => all + count, 0)

export const pipeline = definePipeline({
  name: 'login-privacy',
  topics: { input: 'user-login', output: 'processed-user-login', deadLetters: 'user-login-dlq' },
  schema: Type.Object({
    user_id: text,
    app_version: text,
    device_type: text,
    ip: Type.Refine(Type.String({ description: 'an IPv4 or IPv6 address' }), isAddress),
    locale: text,
    device_id: text,
    timestamp: seconds,
  }),
  process: (login, ctx) => {
    const now = Math.floor(ctx.now / 1000)
    return { ...login, processed_timestamp: now, processing_latency: now - Number(login.timestamp) }
  },
  masks: { ip: maskIp, device_id: maskAllButLastGroup },
  retries: { attempts: 3, delay: 2000, jitter: 0 },
  errorClass,
  alertAt: 100,
  aggregates: {
    processed: total.count(),
    errors: total.errors(),
    device_type: total.countBy('device_type'),
    app_version: total.countBy('app_version'),
    locale: total.countBy('locale'),
  },
  clusterInsights: {
    seconds: 5,
    messages: (figures) => {
      const errors = figures.counts('errors')
      const totals = { processed: figures.number('processed'), errors: sum(errors) }
      return [
        { key: 'totals', value: { metric: 'totals', ...totals } },
        { key: 'errors', value: { metric: 'errors', counts: Object.fromEntries(errors) } },
        ...fields.map((field) => ({
          key: `distribution/${field}`,
          value: { metric: 'distribution', field, counts: Object.fromEntries(figures.counts(field)) },
        })),
      ]
    },
  },
})

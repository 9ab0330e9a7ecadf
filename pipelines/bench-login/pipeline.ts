/** The yardstick of the bench: what a hand-written loop of the same job would do, and no more. */
import { isIPv4 } from 'node:net'
import Type from 'typebox'
import { hourly } from '../api/aggregates.ts'
import { definePipeline } from '../api/define.ts'
import { maskAllButLast4, maskIpv4 } from '../steps/masks.ts'
import { isoTime, LAST_SECOND } from '../steps/time.ts'

const text = () => Type.String({ minLength: 1, description: 'a text' })

export const pipeline = definePipeline({
  name: 'bench-login',
  topics: { input: 'bench-login', output: 'processed-bench-login', deadLetters: 'bench-login-dlq' },
  schema: Type.Object({
    user_id: text(),
    app_version: text(),
    device_type: Type.String({ minLength: 1, default: 'unknown', description: 'a text' }),
    ip: Type.Refine(Type.String({ description: 'an IPv4 address' }), isIPv4),
    locale: text(),
    device_id: text(),
    timestamp: Type.Integer({
      exclusiveMinimum: 0,
      maximum: LAST_SECOND,
      description: 'whole epoch seconds above 0',
    }),
  }),
  process: (login, ctx) => {
    const time = login.timestamp * 1000
    return {
      ...login,
      login_time: isoTime(time),
      processed_at: isoTime(ctx.now),
      latency_ms: ctx.now - time,
    }
  },
  masks: { ip: maskIpv4, device_id: maskAllButLast4 },
  eventTime: (login) => login.timestamp * 1000,
  aggregates: {
    logins: hourly.count(),
    logins_by_device_type: hourly.countBy('device_type'),
    logins_by_locale: hourly.countBy('locale'),
  },
})

/** Logins, checked, enriched and made less personal; counted per hour. */
import { isIP } from 'node:net'
import Type from 'typebox'
import { hourly } from '../api/aggregates.ts'
import { definePipeline } from '../api/define.ts'
import { dead } from '../api/outcome.ts'
import { maskAllButLast4, maskIp } from '../steps/masks.ts'
import { regionOf } from '../steps/regions.ts'
import { epochMs, isoTime } from '../steps/time.ts'
import { tokenizer } from '../steps/token.ts'

const DAY = 86_400_000
const TOKEN_LENGTH = 16

const text = (more: { readonly default?: string } = {}) =>
  Type.String({ minLength: 1, maxLength: 256, description: 'a text of 1 to 256 characters', ...more })

/** A zone (`fe80::1%eth0`) means something on one machine only. */
const isAddress = (value: string): boolean => isIP(value) !== 0 && !value.includes('%')
const address = Type.Refine(Type.String({ description: 'an IPv4 or IPv6 address' }), isAddress)

const TIMESTAMP = 'epoch seconds, a number or a decimal text, above 0 and at most a day ahead'
const seconds = Type.Union([Type.Number(), Type.String()], { description: TIMESTAMP })

export const pipeline = definePipeline({
  name: 'user-login',
  topics: { input: 'user-login', output: 'processed-user-login', deadLetters: 'user-login-dlq' },
  schema: Type.Object({
    user_id: text(),
    app_version: text(),
    device_type: text({ default: 'unknown' }),
    ip: address,
    locale: text(),
    device_id: text(),
    timestamp: seconds,
  }),
  options: Type.Object({
    token_key: Type.String({
      minLength: 16,
      secret: true,
      description: 'key of device_token, 16 characters or more; the same key gives the same tokens',
    }),
  }),
  setup: (options) => ({ tokenOf: tokenizer(options.token_key, TOKEN_LENGTH) }),
  process: (login, ctx) => {
    const time = epochMs(login.timestamp)
    if (!(time > 0 && time <= ctx.now + DAY)) return dead('schema:timestamp', `expected ${TIMESTAMP}`)
    return {
      ...login,
      login_time: isoTime(time),
      region: regionOf(login.locale),
      device_token: ctx.resources.tokenOf(login.device_id),
      processed_at: isoTime(ctx.now),
      latency_ms: ctx.now - time,
    }
  },
  masks: { ip: maskIp, device_id: maskAllButLast4 },
  eventTime: (login) => epochMs(login.timestamp),
  aggregates: {
    logins: hourly.count(),
    logins_by_device_type: hourly.countBy('device_type'),
    logins_by_locale: hourly.countBy('locale'),
    logins_by_app_version: hourly.countBy('app_version'),
    logins_by_region: hourly.countBy('region'),
    distinct_users: hourly.distinct('user_id'),
  },
})

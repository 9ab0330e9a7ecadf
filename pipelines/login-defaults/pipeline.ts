/** Logins cut down to six fields, `unknown` where one is absent. Input and output may live on two Kafka clusters. */
import Type from 'typebox'
import { total } from '../api/aggregates.ts'
import { definePipeline } from '../api/define.ts'

const absent = { default: 'unknown' }
const anything = Type.Unknown(absent)
const plain = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()], {
  ...absent,
  description: 'no object and no array',
})
const digits = Type.String({ pattern: '^[0-9]+$' })

export const pipeline = definePipeline({
  name: 'login-defaults',
  topics: {
    input: 'user-login',
    output: 'processed-logins',
    deadLetters: 'processed-logins-dlq',
    insights: 'insights',
  },
  schema: Type.Object({
    user_id: plain,
    app_version: anything,
    device_type: plain,
    locale: plain,
    device_id: anything,
    timestamp: Type.Optional(
      Type.Union([Type.Number(), digits], { description: 'a number or a text of digits' }),
    ),
  }),
  process: ({ user_id, app_version, device_type, locale, device_id }, ctx) => ({
    user_id,
    app_version,
    device_type,
    locale,
    device_id,
    processed_timestamp: Math.floor(ctx.now / 1000),
  }),
  aggregates: {
    processed: total.count(),
    top_device_types: total.top('device_type', 3),
    top_locales: total.top('locale', 3),
  },
  insights: {
    each: 100,
    messages: (figures) => [
      {
        metric: 'totals',
        processed: figures.number('processed'),
        top_device_types: figures.counts('top_device_types'),
        top_locales: figures.counts('top_locales'),
      },
    ],
  },
})

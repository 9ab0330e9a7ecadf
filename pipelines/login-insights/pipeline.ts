/** What logins say together: the busiest hour, logins per region, devices in percent. No record is written, only insights. */
import Type from 'typebox'
import { batch, total } from '../api/aggregates.ts'
import { definePipeline, type JsonObject } from '../api/define.ts'
import type { Figures } from '../api/figures.ts'
import { dead, drop } from '../api/outcome.ts'
import { hourOfDay, inCalendar } from '../steps/calendar.ts'
import { percentage } from '../steps/percentage.ts'

const SECONDS = 'epoch seconds of the years 1 to 9999, a number or a decimal text'
const decimal = Type.String({ pattern: '^[0-9]+([.][0-9]+)?$' })
const text = Type.Optional(Type.String({ description: 'a text' }))
const anything = Type.Optional(Type.Unknown())

/** All are optional to the schema: what is absent is dropped, what is there and does not fit is dead. */
const schema = Type.Object({
  user_id: anything,
  app_version: anything,
  device_type: text,
  ip: anything,
  locale: text,
  device_id: anything,
  timestamp: Type.Optional(Type.Union([Type.Number(), decimal], { description: SECONDS })),
})
const fields = Object.keys(schema.properties)

/** The busiest hour is of everything so far; the rest of the batch, or of everything too. */
const messages = (figures: Figures, scope: '' | 'batch_', logins: number): readonly JsonObject[] => [
  ...figures
    .counts('logins_by_hour')
    .slice(0, 1)
    .map(([hour, count]) => ({ metric: 'peak_hour', hour: Number(hour), logins: count })),
  ...figures
    .counts(`${scope}logins_by_region`)
    .map(([region, count]) => ({ metric: 'logins_per_region', region, count })),
  ...figures.counts(`${scope}logins_by_device_type`).map(([device_type, count]) => ({
    metric: 'device_usage',
    device_type,
    percentage: percentage(count, logins),
  })),
]

const keyOf = ({ metric, region, device_type }: JsonObject): string =>
  [metric, region, device_type].filter((part) => part !== undefined).join('/')

export const pipeline = definePipeline({
  name: 'login-insights',
  topics: {
    input: 'user-login',
    deadLetters: 'user-login-insights-dlq',
    insights: 'insights',
    clusterInsights: 'user-login-insights',
  },
  schema,
  options: Type.Object({
    each: Type.Integer({ default: 50, minimum: 1, description: 'done records of a slot to a batch' }),
  }),
  process: (login) => {
    const missing = fields.find((name) => !Object.hasOwn(login, name))
    if (missing !== undefined) return drop(`missing:${missing}`)
    const seconds = Number(login.timestamp)
    if (!inCalendar(seconds)) return dead('schema:timestamp', `expected ${SECONDS}`)
    return { hour: hourOfDay(seconds), region: login.locale, device_type: login.device_type }
  },
  aggregates: {
    logins: total.count(),
    logins_by_hour: total.countBy('hour'),
    logins_by_region: total.countBy('region'),
    logins_by_device_type: total.countBy('device_type'),
    batch_logins_by_region: batch.countBy('region'),
    batch_logins_by_device_type: batch.countBy('device_type'),
  },
  insights: {
    each: (options) => options.each,
    messages: (figures, at) => messages(figures, 'batch_', at.records),
  },
  clusterInsights: {
    seconds: 5,
    messages: (figures) =>
      messages(figures, '', figures.number('logins')).map((value) => ({ key: keyOf(value), value })),
  },
})

/** Logins by a strict schema, with a time that people can read; what is merely missing can be mended. */
import Type from 'typebox'
import { Check } from 'typebox/value'
import { total } from '../api/aggregates.ts'
import { definePipeline } from '../api/define.ts'
import { calendarSeconds, dayAndTime } from '../steps/calendar.ts'

const text = Type.String({ description: 'a text, empty or not' })

const schema = Type.Object({
  user_id: text,
  app_version: text,
  device_type: text,
  ip: text,
  locale: text,
  device_id: text,
  timestamp: calendarSeconds,
})

export const pipeline = definePipeline({
  name: 'login-production',
  topics: {
    input: 'user-login',
    output: 'user-login-processed-production',
    deadLetters: 'user-login-dead-letter',
  },
  schema,
  process: (login) => ({ ...login, timestamp: dayAndTime(login.timestamp).replace('T', ' ') }),
  aggregates: {
    device_types: total.countBy('device_type'),
    top_device_types: total.top('device_type', 2),
    top_locales: total.top('locale', 3),
  },
  repair: (value) => {
    const missing = Object.keys(schema.properties).filter((name) => !Object.hasOwn(value, name))
    if (missing.length === 0) return undefined
    const blanks = missing.map((name) => [name, name === 'timestamp' ? 0 : ''])
    const mended = { ...value, ...Object.fromEntries(blanks) }
    return Check(schema, mended) ? mended : undefined
  },
})

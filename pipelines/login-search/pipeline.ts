/** Logins as a search index wants them: an ISO time, a masked address, no field demanded but the time. */
import Type from 'typebox'
import { definePipeline } from '../api/define.ts'
import { calendarSeconds, dayAndTime } from '../steps/calendar.ts'
import { maskLastGroup } from '../steps/masks.ts'

export const pipeline = definePipeline({
  name: 'login-search',
  topics: { input: 'user-login', output: 'processed-user-login', deadLetters: 'processed-user-login-dlq' },
  schema: Type.Object({
    device_type: Type.Unknown({ default: 'unknown' }),
    ip: Type.Optional(Type.Unknown()),
    timestamp: calendarSeconds,
  }),
  process: (login) => ({ ...login, timestamp: `${dayAndTime(login.timestamp)}+0000` }),
  masks: { ip: maskLastGroup },
})

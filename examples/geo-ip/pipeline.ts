/** Visits with the country of their address; the table is read once per thread, in `setup`. */
import { readFile } from 'node:fs/promises'
import Type from 'typebox'
import { hourly } from '../../pipelines/api/aggregates.ts'
import { definePipeline } from '../../pipelines/api/define.ts'
import { bytesOf } from './address.ts'
import { NO_RANGES, rangesIn } from './ranges.ts'

const UNKNOWN = 'unknown'
const address = Type.Refine(
  Type.String({ description: 'an IPv4 or IPv6 address' }),
  (text) => bytesOf(text) !== undefined,
)

export const pipeline = definePipeline({
  name: 'geo-ip',
  topics: { input: 'visits', output: 'visits-by-country', deadLetters: 'visits-dlq' },
  schema: Type.Object({
    page: Type.String({ minLength: 1, description: 'a text' }),
    ip: address,
  }),
  options: Type.Object({
    database: Type.String({
      default: '',
      description: 'path of a CSV file of first,last,country; none: unknown',
    }),
  }),
  // Where `setup` throws, no record is processed: better than a day of `unknown` by a typing error.
  setup: async ({ database }) => (database === '' ? NO_RANGES : rangesIn(await readFile(database, 'utf8'))),
  process: ({ ip, ...visit }, ctx) => {
    const bytes = bytesOf(ip)
    return { ...visit, country: (bytes && ctx.resources.find(bytes)) ?? UNKNOWN }
  },
  aggregates: { visits_by_country: hourly.countBy('country') },
})

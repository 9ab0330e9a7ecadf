/** A made-up record for a schema: something to send at the first screen. */
import type { TObject, TSchema } from 'typebox'
import { Create } from 'typebox/value'

export const sampleOf = (schema: TObject): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(schema.properties)
        .filter(([, type]) => !('~optional' in type))
        .map(([name, type]) => [name, madeUp(type)]),
    ),
  )

/** A pattern or a refinement says what fits, not what would. */
const madeUp = (type: TSchema): unknown => {
  try {
    const value: unknown = Create(type)
    return value === '' ? 'x' : value
  } catch {
    return 'x'
  }
}

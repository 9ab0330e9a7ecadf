/** A record against its schema: fills in defaults, then finds the first field, in the schema's order, that does not fit. */
import { IsOptional, type TObject, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Default } from 'typebox/value'
import { WHOLE_RECORD } from './codes.ts'
import type { JsonObject } from './define.ts'
import { dead, type Verdict } from './outcome.ts'

/** Undefined where the record fits. */
export type Check = (record: JsonObject) => Verdict | undefined

type Fill = (record: JsonObject) => void

interface Field {
  readonly name: string
  readonly optional: boolean
  readonly fits: (value: unknown) => boolean
  readonly missing: Verdict
  readonly unfit: Verdict
}

export const compileCheck = (schema: TObject): Check => {
  const fills = Object.entries(schema.properties).flatMap(([name, type]) => fillOf(name, type))
  const whole = Compile(schema)
  const fieldsOf = lazily(() => Object.entries(schema.properties).map(([name, type]) => fieldOf(name, type)))
  return (record) => {
    for (const fill of fills) fill(record)
    return whole.Check(record) ? undefined : firstMisfit(record, fieldsOf())
  }
}

const fillOf = (name: string, type: TSchema): readonly Fill[] => {
  const { default: own, ...rest } = type as TSchema & { readonly default?: unknown }
  // Defaults further down are rare, and walking there is slow.
  if (JSON.stringify(rest).includes('"default":'))
    return [
      (record) => {
        const filled = Default(type, record[name])
        if (filled !== undefined) record[name] = filled
      },
    ]
  if (own === undefined) return []
  const fresh = typeof own === 'object' ? () => structuredClone(own) : () => own
  return [
    (record) => {
      if (!Object.hasOwn(record, name)) record[name] = fresh()
    },
  ]
}

/** Texts name the field and what is expected, both from the schema: nothing of the record is repeated. */
const fieldOf = (name: string, type: TSchema): Field => {
  const validator = Compile(type)
  const { description } = type as TSchema & { readonly description?: unknown }
  const expected = typeof description === 'string' ? `: expected ${description}` : ''
  return {
    name,
    optional: IsOptional(type),
    fits: (value) => validator.Check(value),
    missing: dead(`schema:${name}`, `${name} is missing${expected}`),
    unfit: dead(`schema:${name}`, `${name} does not fit the schema${expected}`),
  }
}

const other = dead(`schema:${WHOLE_RECORD}`, 'the record as a whole does not fit the schema')

const firstMisfit = (record: JsonObject, fields: readonly Field[]): Verdict => {
  for (const field of fields) {
    const absent = !Object.hasOwn(record, field.name)
    if (absent && !field.optional) return field.missing
    if (!absent && !field.fits(record[field.name])) return field.unfit
  }
  return other
}

const lazily = <T>(make: () => T): (() => T) => {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

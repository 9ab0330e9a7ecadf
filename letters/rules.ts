/** Rules that mend a record value: `--default field=value` where the field is absent, `--set field=value` in any case. Pure. */
import type { TSchema } from 'typebox'
import { Check } from 'typebox/value'
import { MillraceError } from '../cluster/errors.ts'
import { nearest } from '../cluster/nearest.ts'
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'

export interface Rule {
  readonly kind: 'default' | 'set'
  readonly field: string
  readonly value: unknown
}

/** @throws MillraceError `usage` where it is no `field=value`, or names no field of the schema */
export const parseRule = (kind: Rule['kind'], text: string, pipeline: AnyPipeline): Rule => {
  const cut = text.indexOf('=')
  if (cut < 1)
    throw new MillraceError('usage', `--${kind} is ${JSON.stringify(text)}`, { remedy: 'give field=value' })
  const field = text.slice(0, cut)
  const fields = pipeline.schema.properties
  const type = Object.hasOwn(fields, field) ? fields[field] : undefined
  if (type === undefined)
    throw new MillraceError('usage', `the schema of ${pipeline.name} has no field ${field}`, {
      remedy: `did you mean ${nearest(field, Object.keys(fields))}?`,
    })
  return { kind, field, value: given(text.slice(cut + 1), type) }
}

/** JSON or text: whichever the schema wants; where it wants neither, the validator will say so of each record. */
const given = (text: string, type: TSchema): unknown => {
  const json = parsed(text)
  if (json !== undefined && Check(type, json)) return json
  return Check(type, text) || json === undefined ? text : json
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A value of its own; equal where no rule applies. */
export const applyRules = (rules: readonly Rule[], value: JsonObject): JsonObject => {
  const mended = { ...value }
  for (const { kind, field, value: wanted } of rules)
    if (kind === 'set' || !Object.hasOwn(mended, field)) mended[field] = structuredClone(wanted)
  return mended
}

/** What marks a mended record. A rule's value is left out: it may be personal. */
export const rulesText = (rules: readonly Rule[]): string =>
  rules.length === 0 ? 'pipeline' : rules.map(({ kind, field }) => `--${kind} ${field}`).join(' ')

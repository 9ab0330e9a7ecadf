/** What the loader accepts and a person should still look at. */
import { MillraceError, messageOf } from '../../cluster/errors.ts'
import { distance, nearest } from '../../cluster/nearest.ts'
import { compileCheck } from './check.ts'
import type { AnyPipeline } from './define.ts'
import { figuresOf } from './figures.ts'
import { isSecret, optionVariable } from './options.ts'

/** @throws MillraceError `pipeline-load` where the schema does not compile. */
export const lintWarnings = (pipeline: AnyPipeline): readonly string[] => {
  compiles(pipeline)
  const masked = Object.keys(pipeline.masks ?? {})
  return [
    ...masked.flatMap((field) => unknownField(pipeline, `masks.${field}`, field)),
    ...aggregatedFields(pipeline).flatMap(({ name, field }) => [
      ...unknownField(pipeline, `aggregates.${name}`, field),
      ...(masked.includes(field) ? [`aggregates.${name} counts ${field} as its mask leaves it`] : []),
    ]),
    ...neededOptions(pipeline),
    ...wordless(pipeline),
  ]
}

const compiles = (pipeline: AnyPipeline): void => {
  try {
    compileCheck(pipeline.schema)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new MillraceError('pipeline-load', `${pipeline.name}: .schema does not compile: ${why}`, {
      cause: error,
    })
  }
}

const aggregatedFields = (pipeline: AnyPipeline) =>
  Object.entries(pipeline.aggregates ?? {}).flatMap(([name, aggregate]) =>
    'field' in aggregate ? [{ name, field: aggregate.field }] : [],
  )

/** `process` may add fields, and others pass through: no fault, but a typing error looks the same. */
const unknownField = (pipeline: AnyPipeline, place: string, field: string): readonly string[] => {
  const fields = Object.keys(pipeline.schema.properties)
  if (fields.includes(field)) return []
  const near = nearest(field, fields)
  const hint = distance(field, near) <= 2 ? `did you mean ${near}?` : 'process must add it'
  return [`${place}: ${field} is no field of the schema: ${hint}`]
}

/** Whether messages can be worded before anything is counted: an aggregate that does not exist shows here, not in the first commit. */
const wordless = ({ aggregates = {}, insights, clusterInsights }: AnyPipeline): readonly string[] => {
  const figures = figuresOf(aggregates, new Map())
  const tried = (place: string, word: () => unknown): readonly string[] => {
    try {
      word()
      return []
    } catch (error) {
      return [`${place}.messages throws where nothing is counted yet: ${messageOf(error)}`]
    }
  }
  return [
    ...tried('insights', () => insights?.messages(figures, { slot: 0, records: 0, now: 0 })),
    ...tried('clusterInsights', () => clusterInsights?.messages(figures)),
  ]
}

const neededOptions = (pipeline: AnyPipeline): readonly string[] =>
  Object.entries(pipeline.options?.properties ?? {})
    .filter(([, type]) => !('default' in type) && !('~optional' in type))
    .map(([name, type]) => {
      const secret = isSecret(type) ? ', a secret; demo and dry-run make one' : ''
      return `options.${name}: ${optionVariable(name)} must be set${secret}`
    })

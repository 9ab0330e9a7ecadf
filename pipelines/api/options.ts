/**
 * A pipeline's own options: its TypeBox schema against the environment's MILLRACE_OPTION_<NAME>. A secret one may stand in the
 * file that MILLRACE_OPTION_<NAME>_FILE names.
 */
import { randomBytes } from 'node:crypto'
import type { TSchema } from 'typebox'
import { Check, Convert, Default } from 'typebox/value'
import { MillraceError } from '../../cluster/errors.ts'
import { nearest } from '../../cluster/nearest.ts'
import { type Environment, fileVariable, isGiven, OPTION_PREFIX, secretText } from '../../cluster/settings.ts'
import type { AnyPipeline, JsonObject } from './define.ts'

interface Annotated {
  readonly type?: unknown
  readonly secret?: unknown
  readonly description?: unknown
}

/** `token_key` and `tokenKey` are both MILLRACE_OPTION_TOKEN_KEY. */
export const optionVariable = (name: string): string =>
  OPTION_PREFIX + name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()

export const isSecret = (type: TSchema): boolean => (type as Annotated).secret === true

/** @throws MillraceError `settings` on an unknown option, a missing one, or one that does not fit; no value is repeated. */
export const resolveOptions = (pipeline: AnyPipeline, env: Environment): JsonObject => {
  const types = Object.entries(pipeline.options?.properties ?? {})
  refuseUnknown(
    pipeline.name,
    types.flatMap(([name, type]) => variablesOf(name, type)),
    env,
  )
  const options: JsonObject = {}
  for (const [name, type] of types) {
    const value = Default(type, parse(type, textOf(name, type, env)))
    if (value === undefined && '~optional' in type) continue
    if (!Check(type, value)) throw unfit(name, type, value === undefined)
    options[name] = value
  }
  return options
}

/** Values for the secrets that are not set, for demo and dry-run; by name of their variable. */
export const makeSecrets = (pipeline: AnyPipeline, env: Environment): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(pipeline.options?.properties ?? {})
      .filter(([name, type]) => isSecret(type) && !isGiven(optionVariable(name), env))
      .map(([name]) => [optionVariable(name), randomBytes(32).toString('hex')]),
  )

const variablesOf = (name: string, type: TSchema): readonly string[] => {
  const variable = optionVariable(name)
  return isSecret(type) ? [variable, fileVariable(variable)] : [variable]
}

const textOf = (name: string, type: TSchema, env: Environment): string | undefined => {
  const variable = optionVariable(name)
  return isSecret(type) ? secretText(variable, env) : env[variable]
}

const refuseUnknown = (pipeline: string, known: readonly string[], env: Environment): void => {
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(OPTION_PREFIX) || known.includes(variable) || text === '') continue
    const remedy =
      known.length === 0
        ? 'unset it: this pipeline has no options'
        : `did you mean ${nearest(variable, known)}?`
    throw new MillraceError('settings', `pipeline ${pipeline} has no option ${variable}`, { remedy })
  }
}

/** An empty variable counts as unset. Lists and objects are JSON. */
const parse = (type: TSchema, text: string | undefined): unknown => {
  if (text === undefined || text === '') return undefined
  const kind = (type as Annotated).type
  // Convert would cut 1.5 down to the integer 1 without a word.
  if (kind === 'integer' || kind === 'number')
    return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text)
  if (kind !== 'array' && kind !== 'object') return Convert(type, text)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const unfit = (name: string, type: TSchema, missing: boolean): MillraceError => {
  const { description } = type as Annotated
  const expected = typeof description === 'string' ? ` (${description})` : ''
  const problem = missing ? 'is not set' : 'does not fit'
  return new MillraceError('settings', `${optionVariable(name)} ${problem}${expected}`, {
    remedy: `set ${optionVariable(name)}`,
  })
}

/**
 * The text that counts of a named value: what the environment says, or for a secret what stands in the file that `<NAME>_FILE`
 * names (Kubernetes and Docker mount secrets as files; an environment shows in `kubectl describe` and in crash reports).
 * An empty variable is none, so that a deployment can switch one off. No error repeats what a file holds.
 */
import { readFileSync } from 'node:fs'
import { MillraceError } from '../errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export const fileVariable = (name: string): string => `${name}_FILE`

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)

export const isGiven = (name: string, env: Environment): boolean =>
  nonEmpty(env[name]) !== undefined || nonEmpty(env[fileVariable(name)]) !== undefined

/** @throws MillraceError `settings` where both are set, or the file cannot be read or is empty */
export const secretText = (name: string, env: Environment): string | undefined => {
  const plain = nonEmpty(env[name])
  const file = nonEmpty(env[fileVariable(name)])
  if (file === undefined) return plain
  if (plain !== undefined)
    throw new MillraceError('settings', `${name} and ${fileVariable(name)} are both set`, {
      remedy: 'unset one of them',
    })
  return textIn(file, fileVariable(name))
}

const textIn = (file: string, variable: string): string => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code
    throw new MillraceError('settings', `${variable}: ${file} cannot be read (${why})`, {
      remedy: 'name a file that this user may read',
      cause,
    })
  }
  const value = text.replace(/(\r?\n)+$/, '')
  if (value !== '') return value
  throw new MillraceError('settings', `${variable}: ${file} is empty`, {
    remedy: `write the value into it, or unset ${variable}`,
  })
}

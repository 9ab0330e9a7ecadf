/**
 * Letters as problems: those with the same code and message are one. Law: the counts add up to the letters, however many
 * messages a pipeline invents (beyond the bound only the code counts). Pure.
 */
import { failureKinds } from '../pipelines/api/codes.ts'
import type { AnyPipeline, JsonObject } from '../pipelines/api/define.ts'
import type { Letter } from './letter.ts'
import { fieldOf } from './selection.ts'

export interface Group {
  readonly code: string
  /** Of the schema, where the code names one. */
  readonly field?: string
  /** Empty where there are too many to tell apart. */
  readonly message: string
  readonly count: number
  /** Epoch ms. */
  readonly first: number
  readonly last: number
  /** The newest. */
  readonly example: Letter
}

/** Groups of which the message counts as well. */
const MOST = 200

export class Groups {
  readonly #found = new Map<string, Group>()

  add(letter: Letter): void {
    const { code, at } = letter
    const exact = `${code}\n${letter.message}`
    const isKnown = this.#found.has(exact) || this.#found.size < MOST
    const [name, message] = isKnown ? [exact, letter.message] : [code, '']
    const before = this.#found.get(name)
    const field = fieldOf(code)
    this.#found.set(name, {
      code,
      ...(field !== undefined && { field }),
      message,
      count: (before?.count ?? 0) + 1,
      first: Math.min(before?.first ?? at, at),
      last: Math.max(before?.last ?? at, at),
      example: before === undefined || at >= before.last ? letter : before.example,
    })
  }

  /** The largest first. */
  take(): readonly Group[] {
    return [...this.#found.values()].sort((a, b) => b.count - a.count || a.code.localeCompare(b.code))
  }
}

/** What would mend a group, tried on its example. */
export type Cure =
  | { readonly how: 'repair' }
  | { readonly how: 'default' | 'set'; readonly field: string }
  | { readonly how: 'replay' }
  | { readonly how: 'nothing'; readonly why: string }

export interface Trial {
  readonly example: Letter
  readonly code: string
  /** The example's value; undefined where it is no JSON object. */
  readonly value: JsonObject | undefined
  /** The pipeline's own `repair` makes the live validator take the example. */
  readonly repairs: boolean
}

export const cureOf = ({ example, code, value, repairs }: Trial, pipeline: AnyPipeline): Cure => {
  if (repairs) return { how: 'repair' }
  if (example.body === 'unreadable') return { how: 'nothing', why: 'its bytes were never readable' }
  const field = fieldOf(code)
  if (field !== undefined && value !== undefined && Object.hasOwn(pipeline.schema.properties, field))
    return { how: Object.hasOwn(value, field) ? 'set' : 'default', field }
  const kind = Object.hasOwn(failureKinds, code) ? failureKinds[code as keyof typeof failureKinds] : undefined
  if (kind === undefined || kind.retriable || code.startsWith('output-')) return { how: 'replay' }
  return { how: 'nothing', why: 'mend its producer' }
}

export const cureText = (cure: Cure, code: string, pipeline: string): string => {
  const of = `${pipeline} --code '${code}'`
  if (cure.how === 'nothing') return cure.why
  if (cure.how === 'replay') return `millrace dlq replay ${of}, once its cause is gone`
  if (cure.how === 'repair') return `millrace dlq repair ${of}`
  return `millrace dlq repair ${of} --${cure.how} ${cure.field}=<value>`
}

/** Which letters a command is about: every part that is given must fit. Pure. */
import { formatOrigin, type Origin } from '../cluster/protocol/headers.ts'
import type { Letter } from './letter.ts'

export interface Selection {
  /** Any of them; empty: all. */
  readonly codes: readonly string[]
  /** Fields of the schema that did not fit. */
  readonly fields: readonly string[]
  /** Epoch ms of the failure, `from <= at < to`. */
  readonly from?: number
  readonly to?: number
  /** Of the letter or of its origin. */
  readonly places: readonly Origin[]
}

const SCHEMA = 'schema:'

/** The field that a code names. */
export const fieldOf = (code: string): string | undefined =>
  code.startsWith(SCHEMA) ? code.slice(SCHEMA.length) : undefined

export const selects = (selection: Selection, letter: Letter): boolean => {
  const { codes, fields, places, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = selection
  const field = fieldOf(letter.code)
  return (
    (codes.length === 0 || codes.includes(letter.code)) &&
    (fields.length === 0 || (field !== undefined && fields.includes(field))) &&
    letter.at >= from &&
    letter.at < to &&
    (places.length === 0 ||
      places.some((place) => isSame(place, letter.place) || isSame(place, letter.origin)))
  )
}

const isSame = (a: Origin, b: Origin): boolean =>
  a.topic === b.topic && a.partition === b.partition && a.offset === b.offset

/** As it would be typed. */
export const selectionText = ({ codes, fields, from, to, places }: Selection): string =>
  [
    ...codes.map((code) => `--code ${code}`),
    ...fields.map((field) => `--field ${field}`),
    ...(from === undefined ? [] : [`--from ${new Date(from).toISOString()}`]),
    ...(to === undefined ? [] : [`--to ${new Date(to).toISOString()}`]),
    ...places.map((place) => `--letter ${formatOrigin(place)}`),
  ].join(' ')

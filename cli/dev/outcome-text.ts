/** One line for what became of a record: outcome, place in the input, code, value. Pure. */

import { printable } from '../../cluster/printable.ts'
import type { DropRange } from '../../cluster/protocol/drops.ts'
import { HEADER, parseOrigin } from '../../cluster/protocol/headers.ts'
import { styled } from '../output.ts'
import type { TailedRecord } from '../tail.ts'

export const shown = ['done', 'dead', 'drop', 'insight'] as const
export type Shown = (typeof shown)[number]

export interface OutcomeLine {
  readonly outcome: Shown
  readonly text: string
}

const colors = { done: 'green', dead: 'red', drop: 'yellow', insight: 'magenta' } as const

const line = (outcome: Shown, place: string, ...parts: readonly string[]): OutcomeLine => ({
  outcome,
  text: [styled(colors[outcome], outcome.padEnd(4)), styled('dim', place), ...parts]
    .filter((part) => part !== '')
    .join(' '),
})

const header = ({ headers }: TailedRecord, wanted: string): string =>
  headers.findLast(([name]) => name === wanted)?.[1]?.toString() ?? ''

/** `partition/offset` of the input record. */
const placeOf = (record: TailedRecord): string => {
  const origin = parseOrigin(header(record, HEADER.origin))
  return origin === undefined ? '' : `${origin.partition}/${origin.offset}`
}

const valueText = ({ value }: TailedRecord): string => (value === null ? 'null' : printable(value))

export const doneLine = (record: TailedRecord): OutcomeLine =>
  line('done', placeOf(record), valueText(record))

export const deadLine = (record: TailedRecord): OutcomeLine =>
  line('dead', placeOf(record), styled('red', header(record, HEADER.errorCode)), valueText(record))

/** A line for each offset: also those that were done where no output says so. */
export const droppedLines = (record: TailedRecord): readonly OutcomeLine[] => {
  if (record.value === null) return []
  const { partition, from, to, code, fate } = JSON.parse(record.value.toString()) as DropRange
  const outcome = fate ?? 'drop'
  return Array.from({ length: to - from + 1 }, (_, i) =>
    line(outcome, `${partition}/${from + i}`, outcome === 'drop' ? styled('yellow', code) : ''),
  )
}

export const insightLine = (record: TailedRecord): OutcomeLine => line('insight', '', valueText(record))

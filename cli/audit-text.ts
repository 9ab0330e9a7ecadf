/** An audit's report for people: a table of the partitions, what is wrong by name, the verdict last. */
import type { DoubleFate } from '../audit/fate-book.ts'
import type { Mismatch } from '../audit/mismatch.ts'
import { type AuditReport, fateName, type Named, type PartitionReport, verdictLine } from '../audit/report.ts'
import { count, styled, table } from './output.ts'

/** Of more partitions only those with a fault are shown. */
const MOST_ROWS = 64

const headOf = ({ output }: AuditReport): readonly string[] => [
  'partition',
  'from',
  'to',
  'produced',
  output === null ? 'done' : 'outputs',
  'dead',
  'dropped',
  'parked',
  'late',
  'lost',
  'double',
  'foreign',
]

export const auditText = (report: AuditReport): string => {
  const { partitions } = report
  const shown = partitions.length <= MOST_ROWS ? partitions : partitions.filter(hasFault)
  const hidden = partitions.length - shown.length
  return [
    `audit of ${report.pipeline}: ${count(report.range.offsets)} offsets of ${report.range.topic}`,
    table(headOf(report), [...shown.map(rowOf), totalRow(report)]),
    ...(hidden > 0 ? [`${hidden} partitions without a fault are not shown`] : []),
    ...faultLines(report),
    ...report.notProvable.map((line) => `not provable: ${line}`),
    styled(report.ok ? 'green' : 'red', verdictLine(report)),
  ].join('\n')
}

const hasFault = ({ lost, double, foreign }: PartitionReport): boolean => lost + double + foreign > 0

const countsOf = (counts: PartitionReport | AuditReport): readonly string[] => {
  const { produced, outputs, dead, dropped, parked, late, lost, double, foreign } = counts
  return [produced, outputs, dead, dropped, parked, late, lost, double, foreign].map(count)
}

const rowOf = (one: PartitionReport): readonly string[] => [
  String(one.partition),
  count(one.from),
  count(one.to),
  ...countsOf(one),
]

const totalRow = (report: AuditReport): readonly string[] => ['total', '', '', ...countsOf(report)]

const faultLines = ({ offending, range, mismatch, order }: AuditReport): readonly string[] => [
  ...named('lost', range.topic, offending.lost, String),
  ...named('double', range.topic, offending.double, doubleText),
  ...named('foreign', range.topic, offending.foreign, String),
  ...offending.mismatch.map((one) => `mismatch: ${mismatchText(one)}`),
  ...(mismatch > offending.mismatch.length
    ? [`mismatch: and ${mismatch - offending.mismatch.length} more`]
    : []),
  ...(order > 0 ? [`out of order: ${offending.order.join(', ')}`] : []),
]

const named = <T>(
  what: string,
  topic: string,
  faults: readonly Named<T>[],
  text: (one: T) => string,
): readonly string[] =>
  faults.map(({ partition, offsets }) => `${what}: ${topic}/${partition} at ${offsets.map(text).join(', ')}`)

const doubleText = ({ offset, fates }: DoubleFate): string =>
  `${offset} (${fates.length > 1 ? fates.map((fate) => fateName[fate]).join(' + ') : `${fates.map((fate) => fateName[fate])} twice`})`

const mismatchText = (mismatch: Mismatch): string => {
  if (mismatch.where === 'outputs')
    return `the output of ${mismatch.partition}/${mismatch.offset} is no JSON object`
  if (mismatch.where === 'recount')
    return `the done record ${mismatch.partition}/${mismatch.offset} comes out as ${mismatch.found} when it runs again; its process step must be deterministic`
  const differs = `expected ${JSON.stringify(mismatch.expected)}, found ${JSON.stringify(mismatch.found)}`
  if (mismatch.where === 'counters') return `counters of partition ${mismatch.partition}: ${differs}`
  if (mismatch.where === 'insights')
    return `${mismatch.of} in the insights of slot ${mismatch.slot}: ${differs}`
  if ('window' in mismatch)
    return `${mismatch.aggregate} in ${mismatch.where}, slot ${mismatch.slot}, window ${mismatch.window}: ${differs}`
  return `state topic of slot ${mismatch.slot} in Redis: ${differs}`
}

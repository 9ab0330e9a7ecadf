/**
 * What happens in a process, as log lines: one table from event to level and text. How a line looks is another's business
 * (log-sinks.ts). Texts of others are made printable, and nothing of a record is told but its place, and what its
 * pipeline publishes as insights.
 */
import type { Events, Listened } from '../cluster/events.ts'
import { printableText } from '../cluster/printable.ts'
import { tellFailures } from './failure-lines.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'
const severity: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** Whether a line of that level is written where the least severe one is `least`. */
export const isTold = (level: Level, least: Level): boolean => severity[level] >= severity[least]

export interface LogLine {
  readonly level: Level
  /** Name of what happened. */
  readonly event: string
  readonly text: string
  readonly fields?: Readonly<Record<string, string | number>>
  /** `traceparent` of a record that it is about. */
  readonly trace?: string
}

export type Write = (line: LogLine) => void

/** Every event but those that are summed up before they are told, and those that spans and metrics tell. */
type Silent = 'batchCommitted' | 'retryRun' | 'retryLater' | 'letterSent' | 'recordSent'
type Told = Exclude<keyof Events, Silent>
type Lines = {
  readonly [K in Told]: { readonly level: Level; readonly text: (event: Events[K]) => string }
}

const ms = (value: number): string => `${Math.round(value)} ms`

/** Labels of records may stand in them, however long and strange. */
const MOST_SHOWN = 4000
const jsonLine = (messages: readonly object[]): string => {
  const line = printableText(messages.map((message) => JSON.stringify(message)).join(' '))
  return line.length > MOST_SHOWN ? `${line.slice(0, MOST_SHOWN)} ...` : line
}

const insightsLine = ({ pipeline, messages }: Events['clusterInsights']): string =>
  `${pipeline}: insights: ${jsonLine(messages.map(({ value }) => value))}`

export const alertLine = ({ pipeline, errorClass, count, at }: Events['alert']): string =>
  `${pipeline}: ${count} dead letters of class ${printableText(errorClass)} (alert at ${at})`

export const alertUnsentLine = ({ pipeline, errorClass, reason }: Events['alertUnsent']): string =>
  `${pipeline}: the alert hook did not take the alert of class ${printableText(errorClass)}: ${printableText(reason)}`

export const logLines: Lines = {
  committed: {
    level: 'debug',
    text: (e) => `slot ${e.slot}: committed ${e.records} records, ${e.bytes} bytes in ${ms(e.ms)}`,
  },
  claimed: {
    level: 'info',
    text: (e) =>
      `slot ${e.slot}: claimed under epoch ${e.epoch}, ${e.restoredRecords} state records in ${ms(e.ms)}`,
  },
  released: { level: 'info', text: (e) => `slot ${e.slot}: released in ${ms(e.ms)}` },
  halted: { level: 'error', text: (e) => `slot ${e.slot}: halted, ${e.code}: ${e.detail}` },
  shardFailed: {
    level: 'error',
    text: (e) => `slot ${e.slot}: failed, ${e.reason}; starts again in ${ms(e.waitMs)}`,
  },
  fenced: { level: 'warn', text: (e) => `slot ${e.slot}: fenced (${e.code}), a newer owner exists` },
  reopened: { level: 'warn', text: (e) => `slot ${e.slot}: restores, ${e.reason}` },
  threadDied: {
    level: 'warn',
    text: (e) => `slot ${e.slot}: a thread died (${e.cause}) on ${e.partition}/${e.from}-${e.to - 1}`,
  },
  requeued: {
    level: 'info',
    text: (e) => `slot ${e.slot}: ${e.jobs} parked records queued again, ${e.ended} given up`,
  },
  retriesWait: { level: 'warn', text: (e) => `slot ${e.slot}: parked records wait, ${e.reason}` },
  viewsPublished: {
    level: 'debug',
    text: (e) => `slot ${e.slot}: published ${e.windows} windows in ${ms(e.ms)}`,
  },
  viewsFailed: { level: 'warn', text: (e) => `slot ${e.slot}: views wait, ${e.reason}` },
  planApplied: { level: 'info', text: (e) => `plan ${e.epoch}: owns ${e.owned} slots` },
  waiting: { level: 'warn', text: (e) => `waiting for ${e.for} (${e.detail})` },
  leading: { level: 'info', text: (e) => `leads, term ${e.term}` },
  deposed: { level: 'info', text: (e) => `leads no more after term ${e.term}: ${e.reason}` },
  planned: {
    level: 'info',
    text: (e) =>
      `${e.pipeline}: plan ${e.epoch}, ${e.owned} slots on ${e.workers} workers, ${e.releasing} being released`,
  },
  obeyed: {
    level: 'info',
    text: (e) => `${e.pipeline}: plan ${e.epoch} takes up order ${e.order}: ${e.act}`,
  },
  insights: {
    level: 'info',
    text: (e) => `slot ${e.slot}: insights of ${e.records} records: ${jsonLine(e.messages)}`,
  },
  clusterInsights: { level: 'info', text: insightsLine },
  alert: { level: 'warn', text: alertLine },
  alertUnsent: { level: 'warn', text: alertUnsentLine },
  indexed: {
    level: 'info',
    text: (e) => `${e.index}: ${e.indexed} documents, ${e.rejected} rejected, lag ${e.lag}`,
  },
  skipped: { level: 'warn', text: (e) => `left alone: ${e.detail}` },
}

/** A line that repeats within this time is left out. */
const REPEAT_MS = 5000
const MOST_REMEMBERED = 1000

/** Numbers of an event, and which pipeline it is of: what a reader of logs filters by. */
const fieldsOf = (event: object): Readonly<Record<string, string | number>> =>
  Object.fromEntries(
    Object.entries(event).flatMap(([name, value]): [string, string | number][] => {
      if (typeof value === 'number') return [[name, Math.round(value * 10) / 10]]
      return name === 'pipeline' ? [[name, String(value)]] : []
    }),
  )

export const logEvents = (events: Listened, level: Level, write: Write): void => {
  const written = new Map<string, number>()
  const log = <K extends Told>(name: K) => {
    const line = logLines[name]
    if (!isTold(line.level, level)) return
    events.on(name, (event) => {
      const text = line.text(event)
      const now = performance.now()
      if (line.level === 'warn' && now - (written.get(text) ?? -REPEAT_MS) < REPEAT_MS) return
      written.set(text, now)
      if (written.size > MOST_REMEMBERED) written.clear()
      write({ level: line.level, event: name, text, fields: fieldsOf(event) })
    })
  }
  for (const name of Object.keys(logLines) as Told[]) log(name)
  tellFailures(events, (line) => isTold(line.level, level) && write(line))
}

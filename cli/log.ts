/** What happens in a process, as lines on stderr: one table from event to level and text. */
import type { EventBus, Events } from '../cluster/events.ts'
import type { Settings } from '../cluster/settings.ts'
import { tellDrops } from './drop-log.ts'
import { printableText } from './record-text.ts'

type Level = Settings['logLevel']
const severity: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

/** Every event but those that are summed up before they are told. */
type Told = Exclude<keyof Events, 'dropped'>
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

export const insightsLine = ({ pipeline, messages }: Events['clusterInsights']): string =>
  `${pipeline}: insights: ${jsonLine(messages.map(({ value }) => value))}`

export const alertLine = ({ pipeline, errorClass, count, at }: Events['alert']): string =>
  `${pipeline}: ${count} dead letters of class ${printableText(errorClass)} (alert at ${at})`

export const alertUnsentLine = ({ pipeline, errorClass, reason }: Events['alertUnsent']): string =>
  `${pipeline}: the alert hook did not take the alert of class ${printableText(errorClass)}: ${printableText(reason)}`

const lines: Lines = {
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

/** @param who stands before each line; @param write takes a line without its end */
export const logEvents = (
  events: EventBus,
  level: Level,
  who: string,
  write: (line: string) => void,
): void => {
  const written = new Map<string, number>()
  const writeLine = (of: Level, text: string) =>
    write(`${new Date().toISOString()} ${of.padEnd(5)} ${who} ${text}`)
  const log = <K extends Told>(name: K) => {
    const line = lines[name]
    if (severity[line.level] < severity[level]) return
    events.on(name, (event) => {
      const text = line.text(event)
      const now = performance.now()
      if (line.level === 'warn' && now - (written.get(text) ?? -REPEAT_MS) < REPEAT_MS) return
      written.set(text, now)
      if (written.size > 1000) written.clear()
      writeLine(line.level, text)
    })
  }
  for (const name of Object.keys(lines) as Told[]) log(name)
  if (severity.warn >= severity[level]) tellDrops(events, (text) => writeLine('warn', text))
}

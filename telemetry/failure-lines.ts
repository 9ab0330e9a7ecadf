/**
 * What did not succeed, as log lines: one line an outcome, a code and 10 s, with how many there were since the last one and where
 * one of them is. A pipeline may drop or refuse every record.
 */
import { type Clock, systemClock } from '../cluster/actor/clock.ts'
import type { CodeCount, Listened } from '../cluster/events.ts'
import { printableText } from '../cluster/printable.ts'
import type { TracedRecord } from '../cluster/trace.ts'
import { boundedLabel, MOST_CODES } from './bounded.ts'
import type { Level, Write } from './log.ts'

const QUIET_MS = 10_000

type Outcome = CodeCount['outcome']

interface Example {
  readonly partition: number
  readonly record: TracedRecord
}

const levels: Readonly<Record<Outcome, Level>> = { drop: 'warn', dead: 'info', retry: 'info' }

const many = (records: number, one: string): string => `${records} ${one}${records === 1 ? '' : 's'}`

const texts: Readonly<Record<Outcome, (records: number) => string>> = {
  drop: (records) => `dropped ${many(records, 'record')}`,
  dead: (records) => many(records, 'dead letter'),
  retry: (records) => `${many(records, 'record')} will run again`,
}

export const tellFailures = (events: Listened, write: Write, clock: Clock = systemClock): void => {
  const bounded = boundedLabel(MOST_CODES)
  /** What was told a moment ago, with what has come since. */
  const quiet = new Map<string, { since: number; example: Example | undefined }>()

  const tell = (outcome: Outcome, code: string, records: number, example: Example | undefined) => {
    const place = example && ` (one is ${example.partition}/${example.record.offset})`
    write({
      level: levels[outcome],
      event: 'failures',
      text: `${texts[outcome](records)}: ${printableText(code)}${place ?? ''}`,
      fields: { outcome, code, records },
      ...(example && { trace: example.record.own }),
    })
    const key = `${outcome}/${code}`
    quiet.set(key, { since: 0, example: undefined })
    clock.after(QUIET_MS, () => {
      const { since = 0, example: next } = quiet.get(key) ?? {}
      quiet.delete(key)
      if (since > 0) tell(outcome, code, since, next)
    })
  }

  events.on('batchCommitted', ({ partition, codes, traced }) => {
    for (const { outcome, code: told, records } of codes) {
      const record = traced.find((one) => one.outcome === outcome && one.code === told)
      const code = bounded(told)
      const example = record && { partition, record }
      const known = quiet.get(`${outcome}/${code}`)
      if (known === undefined) tell(outcome, code, records, example)
      else {
        known.since += records
        known.example ??= example
      }
    }
  })
}

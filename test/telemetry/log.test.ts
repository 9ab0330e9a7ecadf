import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { type BatchCommitted, EventBus } from '../../cluster/events.ts'
import { tellFailures } from '../../telemetry/failure-lines.ts'
import { type Level, type LogLine, logEvents } from '../../telemetry/log.ts'
import { jsonSink, textSink } from '../../telemetry/log-sinks.ts'
import { virtualClock } from '../support/virtual-clock.ts'
import { batch, OWN, traced } from './batches.ts'

const logged = (level: Level, emit: (events: EventBus) => void): readonly string[] => {
  const events = new EventBus()
  const lines: string[] = []
  logEvents(events, level, (line) => lines.push(`${line.level} ${line.text}`))
  emit(events)
  return lines
}

const dropped = (code: string, records: number): BatchCommitted =>
  batch({ codes: [{ outcome: 'drop', code, records }] })

describe('log lines', () => {
  test('what a slot publishes by count is one line with its messages, without control characters', () => {
    const messages = [{ metric: 'a', region: 'x\u009b31m' }, { metric: 'b' }]
    const lines = logged('info', (events) => events.emit('insights', { slot: 3, records: 50, messages }))
    expect(lines).toEqual([
      String.raw`info slot 3: insights of 50 records: {"metric":"a","region":"x\x9b31m"} {"metric":"b"}`,
    ])
  })

  test('what the leader publishes is one line, however long its labels are', () => {
    const said = (value: object) => ({ pipeline: 'p', messages: [{ key: 'k', value: { ...value } }] })
    const lines = logged('info', (events) => {
      events.emit('clusterInsights', said({ total: 7 }))
      events.emit('clusterInsights', said({ label: 'x'.repeat(100_000) }))
    })
    expect(lines[0]).toBe('info p: insights: {"total":7}')
    expect(lines[1]).toMatch(/x \.\.\.$/)
    expect(lines[1]?.length).toBeLessThan(5000)
  })

  test('alerts and drops are warnings, insights are not', () => {
    const lines = logged('warn', (events) => {
      events.emit('insights', { slot: 0, records: 1, messages: [] })
      events.emit('alert', { pipeline: 'p', errorClass: 'parsing', count: 120, at: 100 })
      events.emit('batchCommitted', dropped('test-order', 2))
    })
    expect(lines).toEqual([
      'warn p: 120 dead letters of class parsing (alert at 100)',
      'warn dropped 2 records: test-order',
    ])
    expect(logged('error', (events) => events.emit('batchCommitted', dropped('c', 1)))).toEqual([])
  })
})

describe('how they are written', () => {
  const written = (write: (stream: Writable) => void): readonly string[] => {
    const lines: string[] = []
    const take = (chunk: unknown, _: string, done: () => void) => {
      lines.push(String(chunk))
      done()
    }
    write(new Writable({ write: take }))
    return lines
  }
  const hostile: LogLine = {
    level: 'warn',
    event: 'skipped',
    text: 'left alone: x\r\nforged {"level":"error"}\u001b[31m',
    fields: { slot: 3 },
    trace: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
  }

  test('JSON: one object a line with level, event, numbers and the ids of the trace, whatever the text holds', () => {
    const lines = written((stream) => jsonSink('w1', stream)(hostile))
    expect(lines).toHaveLength(1)
    expect(lines[0]?.trimEnd()).not.toMatch(/\p{Cc}/u)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      ...{ level: 'warn', who: 'w1', event: 'skipped', slot: 3, msg: hostile.text },
      ...{ trace_id: 'ab'.repeat(16), span_id: 'cd'.repeat(8) },
    })
  })

  test('text: one line as well, nothing that a terminal would obey', () => {
    const lines = written((stream) => textSink('w1', stream)(hostile))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^\S+Z warn {2}w1 left alone: x\\x0d\\x0aforged .* \[trace (ab){16}\]\n$/)
  })

  test('a text that is no trace names none', () => {
    const [line = ''] = written((stream) => jsonSink('w', stream)({ ...hostile, trace: '00-xyz' }))
    expect(JSON.parse(line)).not.toHaveProperty('trace_id')
  })
})

describe('what does not succeed', () => {
  test('is one line an outcome, a code and 10 s, with all that came since the last one', async () => {
    const clock = virtualClock()
    const events = new EventBus()
    const lines: string[] = []
    tellFailures(events, ({ text }) => lines.push(text), clock)
    const drop = (code: string, records: number) => events.emit('batchCommitted', dropped(code, records))
    drop('a', 1)
    drop('a', 20)
    drop('b', 3)
    await clock.advance(9_000)
    drop('a', 300)
    expect(lines).toEqual(['dropped 1 record: a', 'dropped 3 records: b'])
    await clock.advance(1_000)
    expect(lines.slice(2)).toEqual(['dropped 320 records: a'])
    await clock.advance(60_000)
    expect(lines).toHaveLength(3)
    drop('a', 4)
    expect(lines.at(-1)).toBe('dropped 4 records: a')
  })

  test('names the place and the trace of one such record, never more of it', () => {
    const events = new EventBus()
    const lines: LogLine[] = []
    tellFailures(events, (line) => lines.push(line), virtualClock())
    const codes = [{ outcome: 'dead', code: 'schema:ip', records: 2 }] as const
    events.emit('batchCommitted', batch({ codes, traced: [traced(7, 'dead', 'schema:ip')] }))
    expect(lines).toEqual([
      {
        level: 'info',
        event: 'failures',
        text: '2 dead letters: schema:ip (one is 1/7)',
        fields: { outcome: 'dead', code: 'schema:ip', records: 2 },
        trace: OWN,
      },
    ])
  })
})

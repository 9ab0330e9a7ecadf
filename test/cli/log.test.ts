import { describe, expect, test } from 'vitest'
import { tellDrops } from '../../cli/drop-log.ts'
import { logEvents } from '../../cli/log.ts'
import { EventBus } from '../../cluster/events.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const logged = (
  level: Parameters<typeof logEvents>[1],
  emit: (events: EventBus) => void,
): readonly string[] => {
  const events = new EventBus()
  const lines: string[] = []
  logEvents(events, level, 'w', (line) => lines.push(line.replace(/^\S+ /, '')))
  emit(events)
  return lines
}

describe('log lines', () => {
  test('what a slot publishes by count is one line with its messages, without control characters', () => {
    const messages = [{ metric: 'a', region: 'x\u009b31m' }, { metric: 'b' }]
    const lines = logged('info', (events) => events.emit('insights', { slot: 3, records: 50, messages }))
    expect(lines).toEqual([
      String.raw`info  w slot 3: insights of 50 records: {"metric":"a","region":"x\x9b31m"} {"metric":"b"}`,
    ])
  })

  test('what the leader publishes is one line, however long its labels are', () => {
    const said = (value: object) => ({ pipeline: 'p', messages: [{ key: 'k', value: { ...value } }] })
    const lines = logged('info', (events) => {
      events.emit('clusterInsights', said({ total: 7 }))
      events.emit('clusterInsights', said({ label: 'x'.repeat(100_000) }))
    })
    expect(lines[0]).toBe('info  w p: insights: {"total":7}')
    expect(lines[1]).toMatch(/x \.\.\.$/)
    expect(lines[1]?.length).toBeLessThan(5000)
  })

  test('alerts and drops are warnings, insights are not', () => {
    const lines = logged('warn', (events) => {
      events.emit('insights', { slot: 0, records: 1, messages: [] })
      events.emit('alert', { pipeline: 'p', errorClass: 'parsing', count: 120, at: 100 })
      events.emit('dropped', { slot: 1, code: 'test-order', records: 2 })
    })
    expect(lines).toEqual([
      'warn  w p: 120 dead letters of class parsing (alert at 100)',
      'warn  w dropped 2 records: test-order',
    ])
    const drop = (events: EventBus) => events.emit('dropped', { slot: 1, code: 'c', records: 1 })
    expect(logged('error', drop)).toEqual([])
  })
})

describe('drops', () => {
  test('are one line a code and 10 s, with all that came since the last one', async () => {
    const clock = virtualClock()
    const events = new EventBus()
    const lines: string[] = []
    tellDrops(events, (line) => lines.push(line), clock)
    const drop = (code: string, records: number) => events.emit('dropped', { slot: 0, code, records })
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
})

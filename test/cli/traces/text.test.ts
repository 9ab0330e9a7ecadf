import fc from 'fast-check'
import { expect, test } from 'vitest'
import { terminalOf } from '../../../cli/terminal.ts'
import { axisOf } from '../../../cli/traces/axis.ts'
import { traceText } from '../../../cli/traces/text.ts'
import { plain, retriedOften, retriedTwice, spanOf } from '../../support/traces.ts'

const ID = '3'.repeat(32)
const blockOf = (text: string): string => text.replace(/^\n/, '').replace(/\n$/, '')

test('a plain record: every span on one line, bars on one axis', () =>
  expect(traceText(plain())).toBe(
    blockOf(`
trace 11111111111111111111111111111111: logins 3/1042, done, 40 ms, 8 spans
span              process          at     took  ──────────────────────────────────────────────
send logins       demo              0   1.8 ms  ██
└ process logins  worker 3f2a  2.6 ms    37 ms    ▐███████████████████████████████████████████  done
  ├ mailbox       worker 3f2a  2.6 ms   3.1 ms    ▐███▌
  ├ pool          worker 3f2a  5.7 ms  0.20 ms        ▐
  ├ run           worker 3f2a  5.9 ms   5.7 ms        ▐██████▌
  ├ ready         worker 3f2a   12 ms    11 ms               █████████████▌
  ├ commit        worker 3f2a   23 ms    14 ms                            ████████████████▌
  └ publish       worker 3f2a   37 ms   2.9 ms                                            ▐███
`),
  ))

test('a record retried twice: the waits are cut out, the shortest stages folded, in fourteen lines', () =>
  expect(traceText(retriedTwice())).toBe(
    blockOf(`
trace 22222222222222222222222222222222: logins 3/1042, done after 3 runs, 3.2 s, 17 spans
span                  process           at    took  ──────╱1.0s╱────╱2.0s╱────
send logins           demo               0  1.8 ms  ▌       ╱         ╱
└ process logins      worker 3f2a   2.6 ms   67 ms  ██████  ╱         ╱         retry lookup-timeout
  ├ … 3 more                        2.6 ms  5.8 ms  ▌    ▐  ╱         ╱
  ├ run               worker 3f2a   5.9 ms   36 ms  ▐██▌    ╱         ╱
  ├ ready             worker 3f2a    42 ms   11 ms     ▐▌   ╱         ╱
  ├ commit            worker 3f2a    53 ms   14 ms      ▐█  ╱         ╱
  ├ attempt 2 logins  worker b71c  1.082 s   31 ms          ╱   ████  ╱         retry lookup-timeout
  └ attempt 3 logins  worker b71c  3.119 s  4.4 ms          ╱         ╱   ▌     done
    └ settle logins   worker b71c  3.131 s   24 ms          ╱         ╱    ███  done
      ├ … 4 more                   3.131 s  4.7 ms          ╱         ╱    █ ▐
      ├ ready         worker b71c  3.134 s  6.2 ms          ╱         ╱    ▐▌
      └ commit        worker b71c  3.140 s   13 ms          ╱         ╱     ██
`),
  ))

test('a terminal without Unicode gets ASCII, a narrow one shorter words', () =>
  expect(traceText(retriedTwice(), { columns: 80, unicode: false })).toBe(
    blockOf(`
trace 22222222222222222222222222222222: logins 3/1042, done after 3 runs, 3.2 ..
span                    process           at    took  ----/---/---
send logins             demo               0  1.8 ms  #   /   /
\`- process logins       worker 3f2a   2.6 ms   67 ms  ####/   /     retry look..
   |- .. 3 more                       2.6 ms  5.8 ms  #  #/   /
   |- run               worker 3f2a   5.9 ms   36 ms  ### /   /
   |- ready             worker 3f2a    42 ms   11 ms    # /   /
   |- commit            worker 3f2a    53 ms   14 ms     #/   /
   |- attempt 2 logins  worker b71c  1.082 s   31 ms      /###/     retry look..
   \`- attempt 3 logins  worker b71c  3.119 s  4.4 ms      /   /#    done
      \`- settle logins  worker b71c  3.131 s   24 ms      /   / ##  done
         |- .. 4 more                3.131 s  4.7 ms      /   / ##
         |- ready       worker b71c  3.134 s  6.2 ms      /   / #
         \`- commit      worker b71c  3.140 s   13 ms      /   / ##
`),
  ))

test('with room for all nothing is folded', () => {
  const lines = traceText(retriedTwice(), { columns: 120, most: 30 }).split('\n')
  expect(lines).toHaveLength(2 + 17)
  expect(lines.join('\n')).not.toMatch(/… \d+ more/)
})

test('of many runs the first and the last remain', () => {
  const lines = traceText(retriedOften(30)).split('\n')
  expect(lines).toHaveLength(2 + 12)
  const names = lines.map((line) => line.replace(/^[│├└ ]*/, '').slice(0, 12))
  expect(names).toContain('attempt 2 lo')
  expect(names).toContain('attempt 31 l')
  expect(names).toContain('settle login')
  expect(lines.join('\n')).toMatch(/… 2\d more/)
})

test('what is folded is counted: no span is lost', () =>
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 0, max: 40 }), (most, runs) => {
      const trace = retriedOften(runs)
      const lines = traceText(trace, { most }).split('\n').slice(2)
      const counts = lines.map((line) => Number(/… (\d+) more/.exec(line)?.[1] ?? 1))
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(trace.spans.length)
      expect(lines.length).toBeLessThanOrEqual(most)
      expect(counts.some((_, index) => /… 1 more/.test(lines[index] ?? ''))).toBe(false)
    }),
  ))

test('names from outside cannot move the cursor or colour the terminal', () => {
  const name = 'send \u001b[31mlogins\r\n'
  const text = traceText({ traceId: ID, spans: [spanOf(ID, { id: 'a', name, at: 0, took: 1 })] })
  expect(text).toContain('send \\x1b[31mlogins\\x0d\\x0a')
  expect(text.split('\n')).toHaveLength(3)
})

test('a span without its parent stands at the margin; a trace of one moment is drawn as well', () => {
  const spans = [
    spanOf(ID, { id: 'b', parent: 'a', name: 'process logins', at: 0, took: 0 }),
    spanOf(ID, { id: 'c', parent: 'b', name: 'run', at: 0, took: 0, failed: true }),
  ]
  const lines = traceText({ traceId: ID, spans }).split('\n')
  expect(lines[2]).toMatch(/^process logins .*0 {2}0\.00 ms {2}▌$/)
  expect(lines[3]).toMatch(/^└ run .*▌.* {2}error$/)
  expect(traceText({ traceId: ID, spans: [] })).toBe(`trace ${ID}: no spans`)
})

const anySpan = fc.record({
  id: fc.integer({ min: 1, max: 30 }).map((id) => id.toString(16)),
  parent: fc.integer({ min: 1, max: 30 }).map((id) => id.toString(16)),
  name: fc.oneof(fc.string(), fc.constantFrom('process logins', 'run', `attempt ${'t'.repeat(99)}`)),
  at: fc.integer({ min: 0, max: 10 ** 6 }),
  took: fc.integer({ min: 0, max: 10 ** 5 }),
  worker: fc.string(),
  attributes: fc.record({ 'millrace.outcome': fc.string(), 'millrace.attempt': fc.nat(99) }),
})

test('whatever arrives, no line is wider than the terminal', () =>
  fc.assert(
    fc.property(
      fc.uniqueArray(anySpan, { selector: ({ id }) => id, maxLength: 30 }),
      fc.integer({ min: 80, max: 200 }),
      fc.boolean(),
      (given, columns, unicode) => {
        const spans = given.map((one) => spanOf(ID, one))
        const lines = traceText({ traceId: ID, spans }, { columns, unicode }).split('\n')
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
      },
    ),
  ))

const interval = fc
  .tuple(fc.integer({ min: 0, max: 10 ** 6 }), fc.integer({ min: 0, max: 1000 }))
  .map(([startMs, length]) => ({ startMs, endMs: startMs + length }))

test('the axis never runs backwards, nor out of its columns; cut out are waits alone', () =>
  fc.assert(
    fc.property(
      fc.array(interval, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 12, max: 60 }),
      (busy, columns) => {
        const axis = axisOf(busy, columns, (ms) => `${ms}ms`)
        const times = busy.flatMap(({ startMs, endMs }) => [startMs, endMs]).toSorted((a, b) => a - b)
        const at = times.map((ms) => axis.at(ms))
        expect(at).toEqual(at.toSorted((a, b) => a - b))
        expect(at[0]).toBe(0)
        expect(at.at(-1)).toBeLessThanOrEqual(columns)
        for (const { column, columns: width } of axis.gaps) {
          expect(column + width).toBeLessThanOrEqual(columns)
          expect(at.filter((one) => one > column && one < column + width)).toEqual([])
        }
      },
    ),
  ))

test('the locale says what a terminal can show, its first variable that is set before the others', () => {
  expect(terminalOf({ columns: 132 }, { LANG: 'en_US.UTF-8' })).toEqual({ columns: 132, unicode: true })
  expect(terminalOf({}, { LANG: 'en_US.utf8', LC_ALL: '' })).toEqual({ columns: 100, unicode: true })
  expect(terminalOf({ columns: 40 }, { LANG: 'en_US.UTF-8', LC_ALL: 'C' })).toEqual({
    columns: 80,
    unicode: false,
  })
  expect(terminalOf({}, {}).unicode).toBe(false)
})

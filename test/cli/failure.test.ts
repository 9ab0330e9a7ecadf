import { expect, test } from 'vitest'
import { failureOf, stackOf } from '../../cli/failure.ts'
import { type ErrorCode, errorKinds, MillraceError } from '../../cluster/errors.ts'

test.each(Object.entries(errorKinds))(
  '%s ends with its exit code and its remedy, on one line',
  (code, kind) => {
    const failure = failureOf(new MillraceError(code as ErrorCode, 'what is\n  wrong'))
    expect(failure).toEqual({ line: `millrace: what is wrong; ${kind.remedy}`, exitCode: kind.exit })
  },
)

test('a closer remedy takes the place of the general one', () =>
  expect(failureOf(new MillraceError('usage', 'detail', { remedy: 'do this' })).line).toBe(
    'millrace: detail; do this',
  ))

test('a broker that went in the middle of a call is Kafka away, whatever made the call', () => {
  const error = Object.assign(new Error('connect ECONNREFUSED'), { name: 'KafkaJSConnectionError' })
  const { line, exitCode } = failureOf(new Error('wrapped', { cause: error }))
  expect(exitCode).toBe(4)
  expect(line).toMatch(/^millrace: Kafka did not answer: .*; check MILLRACE_KAFKA_BROKERS/)
})

test('what nobody foresaw is a fault of our own: one line, code 70', () =>
  expect(failureOf(new TypeError('x is not a function'))).toEqual({
    line: 'millrace: TypeError: x is not a function; run again with --verbose and report it',
    exitCode: 70,
  }))

test('--verbose shows the causes too', () => {
  const error = new MillraceError('internal', 'outer', { cause: new Error('inner') })
  expect(stackOf(error)).toMatch(/outer[\s\S]*caused by: Error: inner/)
})

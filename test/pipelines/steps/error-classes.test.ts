import { expect, test } from 'vitest'
import { failureKinds } from '../../../pipelines/api/codes.ts'
import { errorClass } from '../../../pipelines/steps/error-classes.ts'

test.each([
  ['tombstone', 'parsing'],
  ['not-json', 'parsing'],
  ['not-utf8', 'parsing'],
  ['not-an-object', 'parsing'],
  ['batch-corrupt', 'parsing'],
  ['schema:ip', 'validation'],
  ['schema:(record)', 'validation'],
  ['output-too-large', 'validation'],
  ['process-threw', 'processing'],
  ['process-timeout', 'processing'],
  ['thread-out-of-memory', 'processing'],
  ['network', 'network'],
  ['network-timeout', 'network'],
  ['networking', 'unknown'],
  ['a code of my own', 'unknown'],
  ['', 'unknown'],
])('%s is an error of %s', (code, expected) => {
  expect(errorClass(code)).toBe(expected)
})

test('parsing and validation are the errors that are never tried again', () => {
  for (const [code, { retriable }] of Object.entries(failureKinds))
    expect(/parsing|validation/.test(errorClass(code)), code).toBe(!retriable)
})

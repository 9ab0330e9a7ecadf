import { expect, test } from 'vitest'
import { failureOf } from '../../../sinks/opensearch/failures.ts'
import { itemsOf, judge } from '../../../sinks/opensearch/verdicts.ts'

const fields = new Set(['timestamp'])
const verdictOf = (status: number, type: string, reason = '') =>
  judge({ id: 'a', status, error: { type, reason } }, fields)

test.each([
  [201, '', 'stored'],
  [200, '', 'stored'],
  [429, 'opensearch_rejected_execution_exception', 'again'],
  [503, 'unavailable_shards_exception', 'again'],
  [500, 'exception', 'again'],
  [404, 'index_not_found_exception', 'again'],
  [403, 'cluster_block_exception', 'again'],
  [400, 'index_closed_exception', 'again'],
  [403, 'security_exception', 'forbidden'],
  [400, 'mapper_parsing_exception', 'rejected'],
  [400, 'illegal_argument_exception', 'rejected'],
])('%i %s: %s', (status, type, verdict) => expect(verdictOf(status, type).verdict).toBe(verdict))

test('the reason names a field of the mapping, and nothing else of what OpenSearch quotes', () => {
  const quote = "failed to parse field [timestamp] of type [date]. Preview of field's value: 'secret'"
  expect(verdictOf(400, 'mapper_parsing_exception', quote)).toEqual({
    verdict: 'rejected',
    code: 'opensearch:mapper_parsing_exception',
    reason: 'OpenSearch answers 400 mapper_parsing_exception at field timestamp',
  })
  const foreign = verdictOf(400, 'mapper_parsing_exception', 'failed to parse field [secret]')
  expect(JSON.stringify(foreign)).not.toContain('secret')
  expect(JSON.stringify(verdictOf(400, 'Secret text!'))).not.toContain('Secret')
})

test('an answer counts only if it is about the very documents, in their order', () => {
  const item = (id: string) => ({ index: { _id: id, status: 201 } })
  expect(itemsOf({ items: [item('a'), item('b')] }, ['a', 'b'])).toHaveLength(2)
  for (const body of [
    '<html>',
    null,
    {},
    { items: [] },
    { items: [item('b'), item('a')] },
    { items: [1, 2] },
  ])
    expect(itemsOf(body, ['a', 'b'])).toBeUndefined()
})

test.each([
  [429, 'away'],
  [502, 'away'],
  [408, 'away'],
  [401, 'auth'],
  [403, 'auth'],
  [413, 'too-large'],
  [404, 'missing'],
  [400, 'refused'],
])('a request answered with %i: %s', (statusCode, kind) =>
  expect(failureOf(Object.assign(new Error('x'), { statusCode })).kind).toBe(kind),
)

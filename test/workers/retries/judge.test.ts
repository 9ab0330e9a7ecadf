import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stateKey } from '../../../cluster/protocol/state.ts'
import { Judge } from '../../../workers/retries/judge.ts'
import { done, failed, parkedAt, type Said } from './support.ts'

const adopted = (...attempts: readonly number[]): Judge => {
  const judge = new Judge()
  judge.adopt(
    new Map(
      attempts.map((runs, offset) => [stateKey.retry(0, offset), parkedAt(0, offset, { attempts: runs })]),
    ),
  )
  return judge
}
const at = (offset: number, said: Said, partition = 0) => ({
  partition,
  offset,
  head: { ...said, json: 0 },
})

const story = fc.array(
  fc.record({
    offset: fc.nat(3),
    known: fc.boolean(),
    attempt: fc.integer({ min: 1, max: 5 }),
    final: fc.boolean(),
  }),
  { maxLength: 40 },
)

test('of each parked record one result settles it, and nothing is said of it afterwards', () => {
  fc.assert(
    fc.property(story, (results) => {
      const judge = adopted(1, 1, 1)
      const settled = new Set<number>()
      const runs = new Map<number, number>()
      for (const { offset, known, attempt, final } of results) {
        const park = known ? `c/0/${offset}` : `another/0/${offset}`
        const verdict = judge.judge(at(offset, final ? done(park, attempt) : failed(park, attempt)))
        const counts = known && offset < 3 && !settled.has(offset)
        if (final) expect(verdict).toBe(counts ? 'settles' : 'ignored')
        else expect(verdict).toBe(counts && attempt > (runs.get(offset) ?? 1) ? 'tried' : 'ignored')
        if (verdict === 'settles') settled.add(offset)
        if (verdict === 'tried') runs.set(offset, attempt)
      }
    }),
  )
})

test('a result of another partition, of nothing parked or of another parking is ignored', () => {
  const judge = adopted(1)
  expect(judge.judge(at(0, done('c/0/0'), 1))).toBe('ignored')
  expect(judge.judge(at(7, done('c/0/7')))).toBe('ignored')
  expect(judge.judge(at(0, done('d/0/0')))).toBe('ignored')
  expect(judge.judge(at(0, done('c/0/0')))).toBe('settles')
})

test('a run that was counted before a takeover is not counted again', () => {
  const judge = adopted(3)
  expect(judge.judge(at(0, failed('c/0/0', 3)))).toBe('ignored')
  expect(judge.judge(at(0, failed('c/0/0', 4)))).toBe('tried')
})

test('what is parked later counts from then on', () => {
  const judge = adopted()
  expect(judge.judge(at(5, done('c/0/5')))).toBe('ignored')
  judge.parked(stateKey.retry(0, 5), parkedAt(0, 5))
  expect(judge.judge(at(5, done('c/0/5')))).toBe('settles')
})

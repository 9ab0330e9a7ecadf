/** What others wrote: what is let in can be planned with, whatever it is; what is not is left out, never an exception. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PlanRecord } from '../../../cluster/protocol/plan.ts'
import { parsePlan, parseReport } from '../../../cluster/protocol/report.ts'
import { noMemory, planStep } from '../../../coordinator/pipeline-plan.ts'
import { reportOf, slotReportOf } from '../../support/reports.ts'

const partitions = [{ partition: 0, next: 5, lag: 1 }]
const sound = reportOf('a', [], { owned: [slotReportOf(0, { partitions })], capacity: 2 })
const plan: PlanRecord = {
  ...{ version: 1, pipeline: 'p', epoch: 3, slots: 2, owners: ['a', null], leader: 'l' },
  releasing: { 1: { worker: 'b', since: 3 } },
}

type Json = ReturnType<typeof JSON.parse>
/** Paths to every place of a value. */
const placesIn = (value: Json, at: readonly string[] = []): readonly (readonly string[])[] =>
  typeof value === 'object' && value !== null
    ? [at, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...at, key]))]
    : [at]

const put = (value: Json, [key, ...rest]: readonly string[], other: Json): Json => {
  if (key === undefined) return other
  const copy = Array.isArray(value) ? [...value] : { ...value }
  copy[key] = put(copy[key], rest, other)
  return copy
}

/** The value with something else in one of its places. */
const altered = (value: object) =>
  fc
    .tuple(fc.constantFrom(...placesIn(value)), fc.jsonValue({ maxDepth: 2 }))
    .map(([place, other]) => JSON.stringify(put(value, place, other)))

const step = (report: ReturnType<typeof parseReport>, with_: PlanRecord | undefined) => {
  const live = [reportOf('b', [1], { slots: 2 }), ...(report === undefined ? [] : [report])]
  const roster = { generation: 'g', live, solo: [], left: new Set<string>() }
  const seen = { pipeline: 'p', plan: with_, roster, orders: [], mayJudge: true, leader: 'l', seenEpoch: 0 }
  return planStep(noMemory(0), { ...seen, now: 99_000 }, { gatherMs: 0, rebalanceMs: 0 })
}

describe('what other processes wrote', () => {
  test('what is sound is let in as it is', () => {
    expect(parseReport(JSON.stringify(sound))).toEqual(sound)
    expect(parsePlan(JSON.stringify(plan))).toEqual(plan)
    const { releasing: _, ...older } = plan
    expect(parsePlan(JSON.stringify(older))).toEqual(older)
  })

  test('a report that is let in can be planned with, whatever stands in one of its places', () => {
    fc.assert(
      fc.property(altered(sound), (text) => {
        const report = parseReport(text)
        const { memory } = step(report, plan)
        for (const cost of memory.costs) expect(cost).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 2000 },
    )
  })

  test('a plan that is let in can be gone on from, whatever stands in one of its places', () => {
    fc.assert(
      fc.property(altered(plan), (text) => {
        const found = parsePlan(text)
        if (found === undefined) return
        const { record } = step(sound, found)
        if (record !== undefined) expect(parsePlan(JSON.stringify(record))).toEqual(record)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['no JSON', '{'],
    ['another version', JSON.stringify({ ...plan, version: 2 })],
    ['a plan that releases to nobody', JSON.stringify({ ...plan, releasing: { 1: null } })],
    [
      'a plan that releases a slot it does not have',
      JSON.stringify({ ...plan, releasing: { 9: { worker: 'b', since: 1 } } }),
    ],
    [
      'a plan that releases what is owned',
      JSON.stringify({ ...plan, releasing: { 0: { worker: 'b', since: 1 } } }),
    ],
  ])('%s is no plan', (_, text) => expect(parsePlan(text)).toBeUndefined())

  test.each([
    [
      'a slot without its partitions',
      JSON.stringify({ ...sound, owned: [{ ...slotReportOf(0), partitions: null }] }),
    ],
    [
      'a cost that is no number',
      JSON.stringify({ ...sound, owned: [{ ...slotReportOf(0), cpuMsPerSecond: 'much' }] }),
    ],
    ['a capacity of nothing', JSON.stringify({ ...sound, capacity: 'all' })],
  ])('%s is no report', (_, text) => expect(parseReport(text)).toBeUndefined())
})

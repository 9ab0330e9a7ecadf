/** Builds that speak other versions, in one cluster: whatever they are, each reads what is written for it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  commonVersion,
  describeUnread,
  isReadable,
  type Protocol,
} from '../../../cluster/protocol/negotiation.ts'
import type { PlanRecord, WorkerReport } from '../../../cluster/protocol/plan.ts'
import { parsePlan, parseReport, parseUnread } from '../../../cluster/protocol/report.ts'
import { reportOf } from '../../support/reports.ts'

/** A build reads what the one before it wrote: the oldest of the newest build is spoken by all. */
const builds = fc.record({ newest: fc.integer({ min: 3, max: 6 }), oldest: fc.integer({ min: 1, max: 3 }) })

const planOf = (version: number): PlanRecord => ({
  ...{ version, pipeline: 'p', epoch: 7, slots: 1, owners: ['a'], leader: 'l' },
})
const first = (build: Protocol): WorkerReport =>
  reportOf('a', [], { version: build.oldest, speaks: build.newest })

describe('the version of a plan', () => {
  test('is read by the leader and by every live worker, and no newer one is', () => {
    fc.assert(
      fc.property(builds, fc.array(builds, { minLength: 1 }), (leader, workers) => {
        const version = commonVersion(workers.map(first), leader)
        for (const build of [leader, ...workers])
          expect(parsePlan(JSON.stringify(planOf(version)), build)).toEqual(planOf(version))
        expect([leader, ...workers].some((build) => !isReadable(version + 1, build))).toBe(true)
      }),
    )
  })

  test('is never below what the leader speaks, and the oldest where nobody lives', () => {
    expect(commonVersion([reportOf('old', [], { version: 1 })], { newest: 4, oldest: 2 })).toBe(2)
    expect(commonVersion([], { newest: 4, oldest: 2 })).toBe(2)
  })

  test('counts one that does not say what it speaks by the version it writes', () => {
    const silent = reportOf('old', [], { version: 1 })
    expect(
      commonVersion([silent, reportOf('new', [], { version: 1, speaks: 2 })], { newest: 2, oldest: 1 }),
    ).toBe(1)
  })
})

describe('a report', () => {
  test('is read by an older leader, whatever its worker speaks beyond', () => {
    const report = reportOf('a', [], { version: 1, speaks: 9 })
    expect(parseReport(JSON.stringify(report), { newest: 1, oldest: 1 })).toEqual(report)
  })

  test.each([0, 3, '1', null, 1.5])('of version %j is not read by who speaks 1 to 2', (version) =>
    expect(
      parseReport(JSON.stringify({ ...reportOf('a'), version }), { newest: 2, oldest: 1 }),
    ).toBeUndefined(),
  )

  test('that speaks nonsense is none', () =>
    expect(parseReport(JSON.stringify({ ...reportOf('a'), speaks: 'all' }))).toBeUndefined())
})

describe('a plan that is not read', () => {
  const old = { newest: 1, oldest: 1 }

  test('still says whose it is and its epoch, however else it looks', () => {
    const newer = JSON.stringify({ version: 2, pipeline: 'p', epoch: 7, owners: { all: 'a' }, more: [] })
    expect(parsePlan(newer, old)).toBeUndefined()
    expect(parseUnread(newer, old)).toEqual({ version: 2, pipeline: 'p', epoch: 7 })
  })

  test.each([
    ['no JSON', '{'],
    ['no epoch', JSON.stringify({ version: 2, pipeline: 'p' })],
    ['an epoch that is none', JSON.stringify({ version: 2, pipeline: 'p', epoch: 1e300 })],
    ['no version', JSON.stringify({ pipeline: 'p', epoch: 7 })],
    ['a version that is read', JSON.stringify({ version: 1, pipeline: 'p', epoch: 7 })],
  ])('with %s says nothing', (_, text) => expect(parseUnread(text, old)).toBeUndefined())

  test('tells who has to be upgraded', () => {
    const speaks = { newest: 2, oldest: 2 }
    expect(describeUnread({ version: 3 }, speaks)).toBe(
      'is of protocol version 3, this one reads up to 2: upgrade it',
    )
    expect(describeUnread({ version: 1 }, speaks)).toMatch(/reads from 2 on: upgrade who wrote it/)
  })
})

import { describe, expect, test } from 'vitest'
import {
  type Field,
  findWorker,
  partitionsOf,
  requireAnother,
  requirePartitions,
  requireTaker,
  workersOf,
} from '../../../cli/steer/find.ts'
import { MillraceError } from '../../../cluster/errors.ts'
import { PROTOCOL } from '../../../cluster/protocol/negotiation.ts'
import type { PlanRecord } from '../../../cluster/protocol/plan.ts'
import { reportOf } from '../../support/reports.ts'

const planOf = (owners: readonly (string | null)[], drains: readonly string[] = []): PlanRecord => ({
  ...{ version: PROTOCOL.newest, pipeline: 'p', epoch: 1, slots: owners.length, owners, leader: 'l' },
  orders: { seen: 1, pins: {}, drains, paused: [] },
})
const fieldOf = (over: Partial<Field> = {}): Field => ({
  pipeline: 'p',
  plan: undefined,
  reports: [],
  others: new Map(),
  ...over,
})
const living = (...workers: readonly string[]) => workers.map((worker) => reportOf(worker))

const refusal = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'usage') return `${error.message}; ${error.remedy}`
    throw error
  }
  return 'nothing was refused'
}

describe('a worker', () => {
  const known = ['vm-1a2b3c4d', 'vm-1aff0000', 'box-9e8d7c6b']

  test.each([
    ['vm-1a2b3c4d', 'vm-1a2b3c4d'],
    ['box', 'box-9e8d7c6b'],
    ['vm-1a2', 'vm-1a2b3c4d'],
    ['1aff', 'vm-1aff0000'],
  ])('%s is %s', (given, found) => expect(findWorker(given, known, fieldOf())).toBe(found))

  test('a whole id counts, also where it begins another', () => {
    expect(findWorker('a', ['a', 'ab'], fieldOf())).toBe('a')
  })

  test.each([
    ['vm-1a', 'vm-1a may be vm-1a2b3c4d or vm-1aff0000; give more of it'],
    ['b0x', 'p has no worker b0x; there is vm-1a2b3c4d, vm-1aff0000, box-9e8d7c6b'],
    ['', 'p has no worker ; there is vm-1a2b3c4d, vm-1aff0000, box-9e8d7c6b'],
  ])('%j is refused: %s', (given, line) =>
    expect(refusal(() => findWorker(given, known, fieldOf()))).toBe(line),
  )

  test('of many the nearest is named; where none lives, that; of another pipeline, which', () => {
    const many = Array.from({ length: 20 }, (_, index) => `worker-${index}`)
    expect(refusal(() => findWorker('wurker-7', many, fieldOf()))).toBe(
      'p has no worker wurker-7; did you mean worker-7? `millrace status` lists all 20',
    )
    expect(refusal(() => findWorker('w', [], fieldOf()))).toContain('none lives')
    const others = new Map([['w-12', 'q']])
    expect(refusal(() => findWorker('w-1', [], fieldOf({ others })))).toBe(
      'p has no worker w-1; w-12 runs q: name that with --pipeline',
    )
  })

  test('those there are, are those that live; without Redis, those that the plan names', () => {
    const plan = { ...planOf(['b', 'b', null]), releasing: { 2: { worker: 'a', since: 1 } } }
    expect(workersOf(fieldOf({ plan, reports: living('x') }))).toEqual(['x'])
    expect(workersOf(fieldOf({ plan, reports: undefined }))).toEqual(['a', 'b'])
  })
})

describe('a drain', () => {
  test('needs another worker that may own slots', () => {
    requireAnother(fieldOf({ reports: living('a', 'b') }), 'a')
    const line =
      'no other worker of p may own slots: nothing would be read any more; start another first, or give --force'
    expect(refusal(() => requireAnother(fieldOf({ reports: living('a') }), 'a'))).toBe(line)
    const drained = fieldOf({ reports: living('a', 'b'), plan: planOf(['a'], ['b']) })
    expect(refusal(() => requireAnother(drained, 'a'))).toBe(line)
    const ending = fieldOf({ reports: [...living('a'), reportOf('b', [], { draining: true })] })
    expect(refusal(() => requireAnother(ending, 'a'))).toBe(line)
    const cutOff = fieldOf({ reports: [...living('a'), reportOf('b', [], { kafkaAway: true })] })
    expect(refusal(() => requireAnother(cutOff, 'a'))).toBe(line)
    const blind = fieldOf({ reports: undefined, plan: planOf(['a']) })
    expect(refusal(() => requireAnother(blind, 'a'))).toContain('whether another worker lives is not known')
  })
})

describe('a slot', () => {
  test('goes to no worker that takes none', () => {
    requireTaker(fieldOf({ reports: living('a') }), 'a')
    expect(refusal(() => requireTaker(fieldOf({ plan: planOf([], ['a']) }), 'a'))).toBe(
      'worker a is drained by order: it takes no slots; take that back with `millrace drain a --undo`',
    )
    const ending = fieldOf({ reports: [reportOf('a', [], { draining: true })] })
    expect(refusal(() => requireTaker(ending, 'a'))).toContain('is about to end')
  })

  test('holds the partitions of its rest', () => {
    expect(partitionsOf(1, 4, 10)).toEqual([1, 5, 9])
    expect(partitionsOf(3, 4, 4)).toEqual([3])
  })
})

test('a partition that is not there is refused with those that are', () => {
  requirePartitions([0, 3], 't', 4)
  expect(refusal(() => requirePartitions([3, 4], 't', 4))).toBe(
    'there is no partition 4 in t; its partitions are 0 to 3',
  )
  expect(refusal(() => requirePartitions([7], 't', 1))).toBe(
    'there is no partition 7 in t; its only partition is 0',
  )
})

import { describe, expect, test } from 'vitest'
import type { ClusterFacts } from '../../../cli/status/look.ts'
import { statusOf } from '../../../cli/status/status.ts'
import { age, statusText } from '../../../cli/status/text.ts'
import { PROTOCOL } from '../../../cluster/protocol/negotiation.ts'
import { type Act, type Order, orderKey } from '../../../cluster/protocol/orders.ts'
import type { PlanRecord, Standing } from '../../../cluster/protocol/plan.ts'
import { reportOf, slotReportOf } from '../../support/reports.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')

const planOf = (owners: readonly (string | null)[], over: Partial<PlanRecord> = {}): PlanRecord => ({
  version: PROTOCOL.newest,
  pipeline: 'p',
  epoch: 7,
  slots: owners.length,
  owners,
  leader: 'c',
  ...over,
})
const standing = (over: Partial<Standing>): Standing => ({
  seen: 0,
  pins: {},
  drains: [],
  paused: [],
  ...over,
})

const orderOf = (epoch: number, act: Act): Order => ({
  version: PROTOCOL.newest,
  pipeline: 'p',
  epoch,
  id: orderKey({ pipeline: 'p', act }),
  act,
})

const factsOf = (
  plan: PlanRecord | undefined,
  live: readonly ReturnType<typeof reportOf>[] = [],
  over: Partial<ClusterFacts> = {},
): ClusterFacts => ({
  now: NOW,
  plans: new Map(plan === undefined ? [] : [[plan.pipeline, { plan, at: NOW - 65_000 }]]),
  orders: [],
  redis: { leader: { holder: 'coordinator-1', term: 3 }, roster: { live, solo: [] } },
  ...over,
})

const partition = (number: number, next = 100, lag = 0) => ({ partition: number, next, lag })
const pipelineOf = (facts: ClusterFacts) => {
  const [first] = statusOf(facts).pipelines
  if (first === undefined) throw new Error('no pipeline')
  return first
}
const textOf = (facts: ClusterFacts): string => statusText(statusOf(facts))
const statesOf = (facts: ClusterFacts) => pipelineOf(facts).slots.map(({ owner, state }) => [owner, state])

describe('the status of a slot', () => {
  test('is what its owner reports', () => {
    const owned = [
      slotReportOf(0, { partitions: [partition(2), partition(0)], committedAt: NOW - 2000 }),
      slotReportOf(1, { state: 'halted', reason: 'position-gap: behind the log start' }),
    ]
    const { slots } = pipelineOf(factsOf(planOf(['a', 'a']), [reportOf('a', [], { owned })]))
    expect(slots).toMatchObject([
      { owner: 'a', state: 'running', lastCommit: '2026-03-01T11:59:58.000Z', recordsPerSecond: 100 },
      { owner: 'a', state: 'halted', reason: 'position-gap: behind the log start', lastCommit: null },
    ])
    expect(slots[0]?.partitions.map((one) => one.partition)).toEqual([0, 2])
  })

  test('where its owner says nothing of it, is what is known of that owner', () => {
    const live = [reportOf('b', [3], { slots: 4 })]
    const plan = planOf(['gone', 'b', null, null])
    expect(statesOf(factsOf(plan, live))).toEqual([
      ['gone', 'silent'],
      ['b', 'starting'],
      [null, 'unowned'],
      ['b', 'running'],
    ])
    expect(statesOf(factsOf(plan, [], { redis: { away: 'why' } }))).toEqual([
      ['gone', 'unknown'],
      ['b', 'unknown'],
      [null, 'unowned'],
      [null, 'unowned'],
    ])
  })

  test('is with whoever lets go of it until that is done', () => {
    const releasing = { 0: { worker: 'a', since: 7 }, 1: { worker: 'a', since: 7 } }
    const live = [reportOf('a', [0]), reportOf('b')]
    expect(statesOf(factsOf(planOf([null, null], { releasing }), live))).toEqual([
      ['a', 'running'],
      ['a', 'releasing'],
    ])
  })

  test('a paused partition is named; the slot is paused where all of its partitions are', () => {
    const live = [
      reportOf('a', [], {
        owned: [
          slotReportOf(0, { partitions: [partition(0), partition(2)] }),
          slotReportOf(1, { partitions: [partition(1), partition(3)] }),
        ],
      }),
    ]
    const orders = standing({ seen: 3, paused: [0, 1, 3] })
    const { slots } = pipelineOf(factsOf(planOf(['a', 'a'], { orders }), live))
    expect(slots.map(({ state }) => state)).toEqual(['running', 'paused'])
    expect(slots[0]?.partitions.map(({ state }) => state)).toEqual(['paused', 'running'])
  })
})

test('a partition that its worker does not read again yet is still paused', () => {
  const owned = [slotReportOf(0, { partitions: [{ ...partition(0), paused: true }, partition(1)] })]
  const { slots } = pipelineOf(factsOf(planOf(['a']), [reportOf('a', [], { owned })]))
  expect(slots[0]?.partitions.map(({ state }) => state)).toEqual(['paused', 'running'])
})

test('a worker that ends, is drained, runs alone or sees no Kafka is told so', () => {
  const orders = standing({ seen: 1, drains: ['b'] })
  const live = [
    reportOf('a', [], { draining: true }),
    reportOf('b'),
    reportOf('c', [], { solo: true }),
    reportOf('d', [], { kafkaAway: true }),
    reportOf('e'),
  ]
  const lines = textOf(factsOf(planOf(['e'], { orders }), live)).split('\n')
  const states = ['ends', 'drained by order', 'alone', 'sees no Kafka', 'works']
  expect(lines.slice(6, 11).map((line) => line.split(/ {2,}/).find((cell) => states.includes(cell)))).toEqual(
    states,
  )
})

describe('the status of a pipeline', () => {
  test('holds orders in force, and those that no plan has taken up; a flush is none', () => {
    const orders = standing({ seen: 4, pins: { 1: 'a' }, drains: ['b'], paused: [3] })
    const given = [
      orderOf(4, { kind: 'pause', partition: 3, on: true }),
      orderOf(5, { kind: 'drain', worker: 'b', on: false }),
      orderOf(6, { kind: 'flush' }),
    ]
    const facts = factsOf(planOf(['a', 'a'], { orders }), [reportOf('b')], { orders: given })
    const pipeline = pipelineOf(facts)
    expect(pipeline.orders).toEqual({
      pins: { 1: 'a' },
      drains: ['b'],
      paused: [3],
      open: ['drain b, taken back'],
    })
    expect(pipeline.workers).toMatchObject([{ worker: 'b', drained: true, draining: false }])
    const text = textOf(facts)
    expect(text).toContain('by order: paused: 3; drained: b; slot 1 pinned to a\n')
    expect(text).toContain('ordered, not taken up yet: drain b, taken back\n')
  })

  test('is told of all that plans, workers, runs of their own and orders name, by name', () => {
    const redis = {
      leader: undefined,
      roster: {
        live: [reportOf('a', [], { pipeline: 'live' })],
        solo: [reportOf('s', [0], { pipeline: 'alone', solo: true, slots: 1 })],
      },
    }
    const order = { ...orderOf(1, { kind: 'pause', partition: 0, on: true }), pipeline: 'ordered' }
    const status = statusOf(factsOf(planOf(['a']), [], { redis, orders: [order] }))
    expect(status.pipelines.map(({ pipeline }) => pipeline)).toEqual(['alone', 'live', 'ordered', 'p'])
    expect(status.coordinator).toBeNull()
    expect(statusText(status)).toMatch(/^s .* alone .*$/m)
  })
})

describe('the text', () => {
  test('says who leads, the plan with its age, and a row for each partition; what a slot reports as a whole stands once', () => {
    const owned = [
      slotReportOf(0, {
        partitions: [partition(0, 12_345, 1200), partition(2, 7)],
        recordsPerSecond: 1234.5,
        committedAt: NOW - 3000,
        counters: { done: 1, dead: 0, dropped: 0, late: 0, parked: 12 },
      }),
    ]
    const live = [reportOf('vm-1a2b3c4d', [], { owned, host: 'vm', pid: 42, slots: 1 })]
    expect(textOf(factsOf(planOf(['vm-1a2b3c4d']), live))).toBe(
      [
        'coordinator coordinator-1 leads, term 3',
        '',
        'p: plan 7, written 1 min ago, 1 slot',
        '',
        'worker       host  pid  slots    lag  records/s  state  protocol',
        'vm-1a2b3c4d  vm     42      1  1,200      1,235  works         1',
        '',
        'partition  slot  owner        state    position    lag  records/s  parked  last commit',
        '        0     0  vm-1a2b3c4d  running     12345  1,200      1,235      12  3 s ago',
        '        2     0  vm-1a2b3c4d  running         7      0',
      ].join('\n'),
    )
  })

  test('with Redis away says so in one line, and shows the plan', () => {
    const lines = textOf(
      factsOf(planOf(['a', 'b']), [], { redis: { away: 'Redis at h:1 does not answer' } }),
    ).split('\n')
    expect(lines[0]).toMatch(/^Redis is away \(Redis at h:1 does not answer\): .*the plans are from Kafka$/)
    expect(lines).toContain(
      '        -     1  b      not known         -    -          -       -            -',
    )
  })

  test('says that nobody leads, and that nothing is known', () => {
    const redis = { leader: undefined, roster: { live: [], solo: [] } }
    expect(textOf(factsOf(undefined, [], { redis })).split('\n')).toEqual([
      'no coordinator leads: workers go on with what they own, nothing moves; start `millrace coordinator`',
      'neither a plan nor a worker is known',
    ])
  })

  test.each([
    ['no worker lives: start some', []],
    ['every worker is drained: start another', [reportOf('d', [])]],
    ['the leader gives them out', [reportOf('w', [])]],
  ])('slots without an owner are told with what helps: %s', (remedy, live) => {
    const plan = planOf([null, null], { orders: standing({ seen: 1, drains: ['d'] }) })
    const text = textOf(factsOf(plan, live))
    expect(text).toContain('nobody owns any of the 2 slots: their partitions are not read; ')
    expect(text).toContain(remedy)
    expect(text).not.toContain('last commit')
  })

  test('no line is longer than 120 columns, whatever names and numbers come', () => {
    const worker = `${'a-very-long-host-name'.repeat(4)}-1a2b3c4d`
    const reason = `topic-recreated: ${'something was seen '.repeat(20)}${'x'.repeat(300)}`
    const counters = { done: 1, dead: 0, dropped: 0, late: 0, parked: 99_999 }
    const partitions = [partition(99_999, 999_999_999_999, 9_999_999_999)]
    const big = { partitions, counters, recordsPerSecond: 9_999_999, committedAt: NOW - 59 * 60_000 }
    const owned = [slotReportOf(0, big), slotReportOf(1, { ...big, state: 'halted', reason })]
    const orders = standing({ seen: 1, pins: { 0: worker }, drains: [worker, `${worker}x`], paused: [1, 2] })
    const live = [reportOf(worker, [], { owned, host: 'h'.repeat(200), pid: 4_194_304, slots: 2 })]
    const text = textOf(factsOf(planOf([worker, worker], { orders, pipeline: 'p' }), live))
    expect(text.split('\n').filter((line) => line.length > 120)).toEqual([])
    expect(text, 'the end of an id tells most').toContain('-1a2b3c4d')
    expect(text).toContain('slot 1: topic-recreated: something was seen')
  })

  test('what others wrote reaches no terminal as control characters', () => {
    const live = [
      reportOf('w', [], { host: '\x1b[31mred', owned: [slotReportOf(0, { reason: '\x07bell' })] }),
    ]
    const text = textOf(factsOf(planOf(['w']), live))
    expect(text).toContain('\\x1b[31mred')
    expect([...text].filter((letter) => letter < ' ' && letter !== '\n')).toEqual([])
  })

  test.each([
    [0, '0 s'],
    [-5000, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [7_200_000, '2 h'],
    [200_000_000, '2 d'],
  ])('%i ms are %s ago', (ms, text) => {
    expect(age(new Date(NOW - ms).toISOString(), NOW)).toBe(`${text} ago`)
  })
})

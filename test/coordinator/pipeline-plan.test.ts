/** Planning over time, as a leader does it round by round: what noise, joins, leaves and orders set in motion. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Random, seededRandom } from '../../cli/random.ts'
import { PROTOCOL } from '../../cluster/protocol/negotiation.ts'
import type { Act, Order } from '../../cluster/protocol/orders.ts'
import type { PlanRecord, WorkerReport } from '../../cluster/protocol/plan.ts'
import { withoutCutOff } from '../../coordinator/membership.ts'
import { type Memory, noMemory, planStep } from '../../coordinator/pipeline-plan.ts'
import { zipfCosts } from '../support/plan-world.ts'
import { reportOf, slotReportOf } from '../support/reports.ts'

const TIMING = { gatherMs: 1000, rebalanceMs: 15_000 }
const ROUND_MS = 1000

/** One pipeline whose workers follow every plan at once. */
class Planned {
  readonly records: PlanRecord[] = []
  readonly costs: readonly number[]
  workers: string[]
  draining: string[] = []
  /** Workers that see Redis and not Kafka. */
  cutOff: string[] = []
  readonly orders: Order[] = []
  readonly refused: string[] = []
  now = 0
  #memory: Memory = noMemory(0)

  constructor(costs: readonly number[], workers: number) {
    this.costs = costs
    this.workers = Array.from({ length: workers }, (_, at) => `w${at}`)
  }

  get plan(): PlanRecord | undefined {
    return this.records.at(-1)
  }
  newLeader(): void {
    this.#memory = noMemory(this.now)
  }
  ownedBy(worker: string): readonly number[] {
    return this.plan?.owners.flatMap((owner, slot) => (owner === worker ? [slot] : [])) ?? []
  }
  #report(worker: string, noise: () => number): WorkerReport {
    const owned = this.ownedBy(worker).map((slot) =>
      slotReportOf(slot, { cpuMsPerSecond: (this.costs[slot] ?? 0) * (1 + noise()) }),
    )
    const slots = this.costs.length
    const draining = this.draining.includes(worker)
    const kafkaAway = this.cutOff.includes(worker)
    return reportOf(worker, [], { owned, slots, draining, kafkaAway, appliedEpoch: this.plan?.epoch ?? 0 })
  }

  /** With the next epoch, as they are given. */
  order(act: Act, epoch = (this.orders.at(-1)?.epoch ?? 0) + 1): this {
    this.orders.push({ version: PROTOCOL.newest, pipeline: 'p', epoch, id: String(epoch), act })
    return this
  }

  run(seconds: number, noise: () => number = () => 0): this {
    for (let end = this.now + seconds * 1000; this.now < end; this.now += ROUND_MS) {
      const live = this.workers.map((worker) => this.#report(worker, noise))
      const roster = withoutCutOff({ generation: 'g', live, solo: [], left: new Set<string>() })
      const seen = { pipeline: 'p', plan: this.plan, roster, mayJudge: true, leader: 'l', seenEpoch: 0 }
      const step = planStep(this.#memory, { ...seen, orders: this.orders, now: this.now }, TIMING)
      this.#memory = step.memory
      this.refused.push(...step.refused)
      if (step.record !== undefined) this.records.push(step.record)
    }
    return this
  }

  /** Busiest worker beside the mean, in measured cost. */
  get ratio(): number {
    const loads = this.workers.map((worker) =>
      this.ownedBy(worker).reduce((sum, slot) => sum + (this.costs[slot] ?? 0), 0),
    )
    return Math.max(...loads) / (loads.reduce((sum, load) => sum + load, 0) / loads.length)
  }
}

const moved = (before: PlanRecord | undefined, after: PlanRecord | undefined): number =>
  before?.owners.filter((owner, slot) => owner !== after?.owners[slot]).length ?? 0

/** Workers that are well used: a core and a half each. */
class Noisy {
  readonly seed: number
  readonly planned: Planned
  readonly #random: Random

  constructor(seed: number, workers: number, slots: number) {
    this.seed = seed
    const random = seededRandom(seed)
    this.#random = random
    this.planned = new Planned(
      zipfCosts(slots, () => random.unit(), { total: 1500 * workers }),
      workers,
    )
  }
  /** Up to a tenth more or less. */
  readonly noise = (): number => 0.2 * (this.#random.unit() - 0.5)
  /** What fast-check prints of a counterexample. */
  toString(): string {
    return `seed ${this.seed}: ${this.planned.workers.length} workers, ${this.planned.costs.length} slots`
  }
}

const cluster = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 31 }),
    fc.integer({ min: 2, max: 5 }),
    fc.integer({ min: 16, max: 64 }),
  )
  .map(([seed, workers, slots]) => new Noisy(seed, workers, slots))

describe('planning over time', () => {
  test('noise of a tenth, second by second, moves nothing once it has settled', () => {
    fc.assert(
      fc.property(cluster, ({ noise, planned }) => {
        planned.run(600, noise)
        const settled = planned.records.length
        planned.run(1200, noise)
        expect(planned.records).toHaveLength(settled)
      }),
      { numRuns: 10 },
    )
  })

  test('from equal counts it comes to equal costs, a few slots at a time, each plan after the last had time to show', () => {
    fc.assert(
      fc.property(cluster, ({ planned }) => {
        planned.run(600)
        const mean = planned.costs.reduce((sum, cost) => sum + cost, 0) / planned.workers.length
        fc.pre(Math.max(...planned.costs) <= mean / 2)
        expect(planned.ratio).toBeLessThanOrEqual(1.2)
      }),
      { numRuns: 20 },
    )
  })

  test('at a join at most ceil(slots / workers) move at once', () => {
    fc.assert(
      fc.property(cluster, ({ planned }) => {
        planned.run(600)
        const before = planned.plan
        planned.workers = [...planned.workers, 'x']
        planned.run(5)
        const most = Math.ceil(planned.costs.length / planned.workers.length)
        expect(moved(before, planned.plan)).toBeLessThanOrEqual(most)
        expect(planned.ownedBy('x').length).toBeGreaterThan(0)
      }),
      { numRuns: 20 },
    )
  })

  test('at a leave the slots of who left move, and at most ceil(slots / workers) others', () => {
    fc.assert(
      fc.property(cluster, ({ planned }) => {
        planned.run(600)
        const before = planned.plan
        const gone = planned.ownedBy('w0').length
        planned.workers = planned.workers.slice(1)
        planned.run(5)
        const most = gone + Math.ceil(planned.costs.length / planned.workers.length)
        expect(moved(before, planned.plan)).toBeLessThanOrEqual(most)
        expect(planned.plan?.owners).not.toContain('w0')
        expect(planned.plan?.owners).not.toContain(null)
      }),
      { numRuns: 20 },
    )
  })

  test('a worker that sees no Kafka loses its slots to one that does; where nobody sees it, nothing moves', () => {
    const planned = new Planned(new Array<number>(8).fill(100), 2).run(60)
    const before = planned.plan
    planned.cutOff = ['w0', 'w1']
    planned.run(60)
    expect(planned.plan).toBe(before)
    planned.cutOff = ['w1']
    planned.run(5)
    expect(planned.ownedBy('w0')).toHaveLength(8)
    planned.cutOff = []
    planned.run(60)
    expect(planned.ownedBy('w1')).toHaveLength(4)
  })

  test('a worker that drains loses its slots in two phases; pins and drains of people hold', () => {
    const planned = new Planned(new Array<number>(8).fill(100), 2).run(60)
    expect(planned.ownedBy('w1')).toHaveLength(4)
    planned.draining = ['w1']
    planned.run(5)
    expect(planned.records.map(({ releasing = {} }) => Object.keys(releasing).length)).toEqual([0, 4, 0])
    expect(planned.ownedBy('w0')).toHaveLength(8)
    planned.draining = []
    planned.order({ kind: 'pin', slot: 3, worker: 'w1', on: true }).run(5)
    expect(planned.ownedBy('w1')).toContain(3)
    planned.order({ kind: 'pin', slot: 3, worker: 'w1', on: false })
    planned.order({ kind: 'drain', worker: 'w0', on: true }).run(60)
    expect(planned.ownedBy('w1')).toHaveLength(8)
    planned.order({ kind: 'drain', worker: 'w0', on: false }).run(60)
    expect(planned.ownedBy('w0')).toHaveLength(4)
  })

  test('a slot that is moved goes there once; a pinned one stays there', () => {
    const planned = new Planned(new Array<number>(8).fill(100), 2).run(60)
    const [slot = 0] = planned.ownedBy('w0')
    planned.order({ kind: 'move', slot, worker: 'w1' }).run(5)
    expect(planned.ownedBy('w1')).toContain(slot)
    planned.run(60)
    expect(planned.ownedBy('w0')).toHaveLength(4)
    const [other = 0] = planned.ownedBy('w0')
    planned.order({ kind: 'pin', slot: other, worker: 'w1', on: true }).run(600)
    expect(planned.ownedBy('w1')).toContain(other)
    expect(planned.ownedBy('w1')).toHaveLength(4)
  })

  test('a paused partition stands in the plan, moves nothing, and is taken back', () => {
    const planned = new Planned(new Array<number>(8).fill(100), 2).run(60)
    const before = planned.plan
    planned.order({ kind: 'pause', partition: 5, on: true }).order({ kind: 'pause', partition: 2, on: true })
    planned.run(5)
    expect(planned.plan?.owners).toEqual(before?.owners)
    expect(planned.plan?.orders).toEqual({ seen: 2, pins: {}, drains: [], paused: [2, 5] })
    planned.order({ kind: 'pause', partition: 5, on: false }).run(5)
    expect(planned.plan?.orders?.paused).toEqual([2])
  })

  test('an order that was taken up is not taken up again, whoever leads and however often it is read', () => {
    const planned = new Planned(new Array<number>(8).fill(100), 2).run(60)
    const [slot = 0] = planned.ownedBy('w0')
    planned.order({ kind: 'move', slot, worker: 'w1' }).run(60)
    expect(planned.ownedBy('w0')).toHaveLength(4)
    const { length } = planned.records
    planned.newLeader()
    planned.order({ kind: 'move', slot, worker: 'w1' }, 1).run(60)
    expect(planned.records).toHaveLength(length)
  })

  test('an order that cannot be obeyed moves nothing, and is told once', () => {
    const planned = new Planned(new Array<number>(8).fill(100), 2).run(60)
    const before = planned.plan
    planned
      .order({ kind: 'move', slot: 1, worker: 'nobody' })
      .order({ kind: 'pin', slot: 99, worker: 'w0', on: true })
    planned.run(60)
    expect(planned.plan?.owners).toEqual(before?.owners)
    expect(planned.refused).toEqual([
      'order 1 (move slot 1 to nobody): no such worker takes slots, nothing moves',
      'order 2 (pin slot 99 to w0): there are only 8 slots, nothing moves',
    ])
  })
})

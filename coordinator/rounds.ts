/**
 * What the coordinator does in one round: seek leadership, look who lives, open the term, write each pipeline's next plan.
 * Told of nothing between two rounds but plans that others wrote.
 */
import type { Clock } from '../cluster/actor/clock.ts'
import { MillraceError, messageOf } from '../cluster/errors.ts'
import type { EventBus } from '../cluster/events.ts'
import { describeUnread, type Protocol } from '../cluster/protocol/negotiation.ts'
import { type Order, orderText } from '../cluster/protocol/orders.ts'
import { isUnread, type PlanRecord, type UnreadPlan, type WorkerReport } from '../cluster/protocol/plan.ts'
import type { PlanLog } from '../cluster/protocol/plan-log.ts'
import type { Leases } from '../cluster/redis/lease.ts'
import type { Roster, Workers } from '../cluster/redis/workers.ts'
import { elector } from './leader.ts'
import { mayJudge, pipelinesOf, reportsOf, type Watch, watched, withoutCutOff } from './membership.ts'
import { type Memory, noMemory, planStep, type Timing } from './pipeline-plan.ts'

export interface CoordinatorOptions {
  readonly id: string
  readonly leases: Leases
  readonly workers: Workers
  readonly log: PlanLog
  readonly clock: Clock
  readonly events: EventBus
  readonly leaseMs: number
  /** Highest plan epoch in the views of a pipeline; 0 where nothing is known. */
  readonly viewEpoch: (pipeline: string) => Promise<number>
  readonly timing?: Partial<Timing>
  /** Says whose the keys in Redis are, where nobody has since it was emptied. @throws MillraceError where another installation has */
  readonly claimHome?: () => Promise<void>
  /** What it speaks; absent: what this build does. */
  readonly protocol?: Protocol
}

export interface CoordinatorStatus {
  readonly id: string
  readonly leading: boolean
  readonly term: number | undefined
  /** Redis answered in the last round. */
  readonly sees: boolean
  /** Pipeline -> why it has no newer plan yet. */
  readonly waiting: Readonly<Record<string, string>>
  readonly plans: readonly PlanRecord[]
  readonly workers: readonly WorkerReport[]
  /** Monotonic ms since the last completed round. */
  readonly idleMs: number
}

const GATHER_MS = 1000
const REBALANCE_MS = 15_000

export class Rounds {
  readonly #options: CoordinatorOptions
  readonly #elector: ReturnType<typeof elector>
  readonly #timing: Timing
  readonly #plans = new Map<string, PlanRecord>()
  /** Newest plans that it cannot read: it does not lead where it does not know who owns what. */
  readonly #unread = new Map<string, UnreadPlan>()
  /** By pipeline; those that its plan has not taken up. */
  readonly #orders = new Map<string, readonly Order[]>()
  readonly #memory = new Map<string, Memory>()
  readonly #waiting = new Map<string, string>()
  readonly #viewEpochs = new Map<string, number>()
  readonly #unfollow: () => void
  #openTerm: number | undefined
  #watch: Watch | undefined
  #roster: Roster | undefined
  #endedAt: number
  #told = ''
  /** Generation of Redis under which the keys were claimed. */
  #claimed: string | undefined

  constructor(options: CoordinatorOptions) {
    const { leaseMs, clock, leases, id } = options
    this.#options = options
    this.#elector = elector({ leases, clock, holder: id, leaseMs })
    const scale = Math.min(1, leaseMs / 10_000)
    this.#timing = { gatherMs: GATHER_MS * scale, rebalanceMs: REBALANCE_MS * scale, ...options.timing }
    this.#endedAt = clock.now()
    this.#unfollow = options.log.follow(
      (plan) => this.#learn(plan),
      (order) => this.#hear(order),
    )
  }

  async run(): Promise<void> {
    const leading = (await this.#readsAll()) && (await this.#elector.campaign())
    if (!leading) this.#standBy('another leads, or Redis is away')
    await this.#look()
    if (leading) await this.#claim()
    if (leading) await this.#lead()
    this.#endedAt = this.#options.clock.now()
  }

  /** Where it does not, a newer one leads, or nobody: it gives leadership back and says so, once. */
  async #readsAll(): Promise<boolean> {
    const [unread] = this.#unread.values()
    if (unread === undefined) return true
    this.#standBy('a plan is not readable')
    await this.#elector.resign()
    const detail = `the plan of ${unread.pipeline} ${describeUnread(unread, this.#options.protocol)}`
    if (detail !== this.#told)
      this.#options.events.emit('waiting', { for: 'a coordinator that reads it', detail })
    this.#told = detail
    return false
  }

  leads(): boolean {
    return this.#elector.leads()
  }

  async end(): Promise<void> {
    this.#unfollow()
    this.#standBy('it stops')
    await this.#elector.resign()
  }

  status(): CoordinatorStatus {
    return {
      id: this.#options.id,
      leading: this.#openTerm !== undefined && this.#elector.leads(),
      term: this.#elector.term()?.term,
      sees: this.#roster !== undefined,
      waiting: Object.fromEntries(this.#waiting),
      plans: [...this.#plans.values()].sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1)),
      workers: this.#roster?.live ?? [],
      idleMs: this.#options.clock.now() - this.#endedAt,
    }
  }

  #learn(plan: PlanRecord | UnreadPlan): void {
    const newest = this.#unread.get(plan.pipeline) ?? this.#plans.get(plan.pipeline)
    if (plan.epoch <= (newest?.epoch ?? 0)) return
    this.#unread.delete(plan.pipeline)
    if (isUnread(plan)) return void this.#unread.set(plan.pipeline, plan)
    this.#plans.set(plan.pipeline, plan)
    const open = this.#orders.get(plan.pipeline) ?? []
    const seen = plan.orders?.seen ?? 0
    this.#orders.set(
      plan.pipeline,
      open.filter(({ epoch }) => epoch > seen),
    )
  }

  /** A flush is heard by the workers. */
  #hear(order: Order): void {
    const { pipeline, act, epoch } = order
    const open = this.#orders.get(pipeline) ?? []
    const seen = open.at(-1)?.epoch ?? this.#plans.get(pipeline)?.orders?.seen ?? 0
    if (act.kind !== 'flush' && epoch > seen) this.#orders.set(pipeline, [...open, order])
  }

  #standBy(reason: string): void {
    if (this.#openTerm === undefined) return
    this.#options.events.emit('deposed', { term: this.#openTerm, reason })
    this.#openTerm = undefined
    this.#watch = undefined
    this.#memory.clear()
    this.#waiting.clear()
  }

  /** A roster that cannot be read tells nothing, and disturbs the watch. */
  async #look(): Promise<void> {
    try {
      this.#roster = await this.#options.workers.read()
      this.#watch = watched(this.#watch, this.#roster.generation, this.#options.clock.now())
    } catch {
      this.#roster = undefined
      this.#watch = undefined
    }
  }

  /** Once a generation. Another's keys end this coordinator: two installations would plan with one roster. */
  async #claim(): Promise<void> {
    const generation = this.#roster?.generation
    if (generation === undefined || generation === this.#claimed) return
    try {
      await this.#options.claimHome?.()
      this.#claimed = generation
    } catch (error) {
      // Redis is away again: the next round tries.
      if (error instanceof MillraceError) throw error
    }
  }

  /** Kafka away is a thing to wait for: what was begun is begun again at a later round. */
  async #lead(): Promise<void> {
    try {
      if (!(await this.#open())) return
      await this.#planAll()
      this.#told = ''
    } catch (error) {
      this.#standBy('Kafka is away')
      const detail = messageOf(error)
      if (detail !== this.#told) this.#options.events.emit('waiting', { for: 'the plan log', detail })
      this.#told = detail
    }
  }

  /** Once a term: fences earlier leaders, then reads what they wrote. True when the term is open. */
  async #open(): Promise<boolean> {
    const { log, events, clock } = this.#options
    const term = this.#elector.term()?.term
    if (term === undefined || term === this.#openTerm) return term !== undefined
    const opened = await log.open()
    if (opened === 'fenced') this.#elector.deposed()
    if (opened !== 'ok') return false
    for (const plan of (await log.latest()).values()) this.#learn(plan)
    if (!(await this.#readsAll())) return false
    this.#openTerm = term
    if (this.#roster !== undefined) this.#watch = { since: clock.now(), generation: this.#roster.generation }
    events.emit('leading', { term })
    return true
  }

  async #planAll(): Promise<void> {
    const roster = this.#roster
    if (roster === undefined) return
    const seen = withoutCutOff(roster)
    for (const pipeline of pipelinesOf(roster, this.#plans)) {
      if (!this.#elector.leads() || !(await this.#planOne(pipeline, seen))) return
    }
  }

  /** False where this leader may not go on. */
  async #planOne(pipeline: string, roster: Roster): Promise<boolean> {
    const { clock, leaseMs, id, protocol } = this.#options
    const now = clock.now()
    const seenEpoch = await this.#seenEpoch(pipeline, roster)
    const plan = this.#plans.get(pipeline)
    const judges = this.#watch !== undefined && mayJudge(this.#watch, now, leaseMs)
    const orders = this.#orders.get(pipeline) ?? []
    const seen = { pipeline, plan, roster, orders, mayJudge: judges, leader: id, seenEpoch, protocol, now }
    const step = planStep(this.#memory.get(pipeline) ?? noMemory(now), seen, this.#timing)
    this.#memory.set(pipeline, step.memory)
    if (step.waitsFor === '') this.#waiting.delete(pipeline)
    else this.#waiting.set(pipeline, step.waitsFor)
    if (step.record === undefined) return true
    if (!(await this.#write(step.record))) return false
    for (const { epoch, act } of orders)
      this.#options.events.emit('obeyed', {
        pipeline,
        epoch: step.record.epoch,
        order: epoch,
        act: orderText(act),
      })
    for (const detail of step.refused) this.#options.events.emit('skipped', { detail })
    return true
  }

  async #write(plan: PlanRecord): Promise<boolean> {
    if (!this.#elector.leads()) return false
    const written = await this.#options.log.append(plan)
    if (written === 'ok') {
      this.#learn(plan)
      const owned = plan.owners.filter((owner) => owner !== null).length
      const workers = new Set(plan.owners.filter((owner) => owner !== null)).size
      const { pipeline, epoch, slots, releasing = {} } = plan
      const leaving = Object.values(releasing)
      this.#options.events.emit('planned', {
        pipeline,
        epoch,
        slots,
        owned,
        releasing: leaving.length,
        workers,
        moved: leaving.filter(({ since }) => since === epoch).length,
      })
      return true
    }
    if (written === 'fenced') this.#elector.deposed()
    // Unclear: whether it was written is read again at the next round, as at the begin of a term.
    this.#standBy(written === 'fenced' ? 'a later leader writes' : 'a write was not answered')
    return false
  }

  /** Epochs outlive the cluster topic in the views and in the workers' reports, and a plan there that somebody wrote again. */
  async #seenEpoch(pipeline: string, roster: Roster): Promise<number> {
    const reported = reportsOf(roster, pipeline).map((report) => report.appliedEpoch)
    return Math.max(this.#plans.has(pipeline) ? 0 : await this.#viewEpoch(pipeline), ...reported)
  }

  async #viewEpoch(pipeline: string): Promise<number> {
    const known = this.#viewEpochs.get(pipeline) ?? (await this.#options.viewEpoch(pipeline).catch(() => 0))
    this.#viewEpochs.set(pipeline, known)
    return known
  }
}

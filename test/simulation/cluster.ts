/** A simulated cluster: brokers, Redis, processes, the load, and everything that can be done to them. */
import { type Random, seededRandom } from '../../cli/random.ts'
import { systemClock } from '../../cluster/actor/clock.ts'
import { EventBus } from '../../cluster/events.ts'
import type { Act } from '../../cluster/protocol/orders.ts'
import type { PlanRecord, UnreadPlan } from '../../cluster/protocol/plan.ts'
import type { PlanSource } from '../../cluster/protocol/plan-log.ts'
import { FakeKafka } from '../ports/fake/kafka.ts'
import { describeTopics, type Kept, Operator, SimulatedCoordinator, SimulatedWorker } from './processes.ts'
import { MemoryRedis } from './redis.ts'
import type { World } from './time.ts'
import { type Air, FAIR, plainBatch } from './wire.ts'

export interface Shape {
  readonly partitions: number
  readonly slots: number
  readonly workers: number
  readonly coordinators: number
}

const WATCHED = [
  'fenced',
  'reopened',
  'halted',
  'shardFailed',
  'deposed',
  'leading',
  'threadDied',
  'viewsFailed',
  'planApplied',
  'released',
  'claimed',
  'committed',
  'obeyed',
] as const
const QUIET: readonly string[] = ['committed', 'viewsFailed']

const RESTART_MS = 400
const LOAD_MS = 19_000
/** Of a record, at half to one and a half: something is always under way. */
const COST_MS = 14
/** One plan of so many is told again. */
const ECHOES = 4
const ECHO_MS = 12_000

export class Cluster {
  readonly world: World
  readonly kafka: FakeKafka
  readonly redis: MemoryRedis
  readonly air: Air
  readonly shape: Shape
  readonly random: Random
  readonly workers: SimulatedWorker[] = []
  readonly coordinators: SimulatedCoordinator[] = []
  /** What happened, by name. */
  readonly counts = new Map<string, number>()
  readonly story: string[] = []
  /** What no moment may show. */
  readonly unlawful: string[] = []
  readonly produced: number[]
  /** Chance of each task that its thread dies of it. */
  deadly = 0
  /** Partitions that the input gained. */
  grown = 0
  readonly #operator: Operator
  #ordered = Promise.resolve()
  #made = 0
  #record = 0

  /** @param world whose time is everybody's by now */
  constructor(world: World, shape: Shape, seed: number) {
    this.world = world
    this.kafka = new FakeKafka(world.clock)
    this.redis = new MemoryRedis(world)
    this.shape = shape
    this.random = seededRandom(seed)
    const net = seededRandom(seed ^ 0x5eed)
    this.air = {
      ...{ world: this.world, kafka: this.kafka, random: () => net.unit(), stalled: undefined },
      weather: { ...FAIR },
      seen: { lost: 0, late: 0, twice: 0 },
    }
    for (const { name, partitions } of describeTopics(shape).values())
      this.kafka.makeTopic(name, { partitions })
    this.produced = new Array<number>(shape.partitions).fill(0)
    this.#operator = new Operator(this)
    for (let i = 0; i < shape.coordinators; i++) this.addCoordinator(`c${i}`)
    for (let i = 0; i < shape.workers; i++) this.addWorker()
  }

  note(what: string): void {
    this.story.push(`${(this.world.now / 1000).toFixed(3)} ${what}`)
  }
  count(name: string): number {
    return this.counts.get(name) ?? 0
  }
  /** Of one life of a process. */
  events(who: string): EventBus {
    const bus = new EventBus()
    for (const name of WATCHED)
      bus.on(name, (event) => {
        this.counts.set(name, this.count(name) + 1)
        if (!QUIET.includes(name)) this.note(`${who} ${name} ${JSON.stringify(event)}`)
      })
    bus.on('committed', ({ done, dead, dropped, parked }) => {
      const fates = { 'fate done': done, 'fate dead': dead, 'fate dropped': dropped, parked }
      for (const [name, times] of Object.entries(fates)) this.counts.set(name, this.count(name) + times)
    })
    let applied = 0
    bus.on('planApplied', ({ epoch }) => {
      if (epoch <= applied) this.unlawful.push(`${who} applied plan ${epoch} after ${applied}`)
      applied = epoch
    })
    return bus
  }
  /** Tells plans again, long after: a worker must not go back to one. */
  echoing(source: PlanSource): PlanSource {
    return {
      latest: () => source.latest(),
      follow: (listener, ordered) => {
        const echo = (plan: PlanRecord | UnreadPlan) => {
          listener(plan)
          const again = this.random.below(ECHOES) === 0
          if (again) systemClock.after(ECHO_MS * this.random.unit(), () => listener(plan))
        }
        return source.follow(echo, ordered)
      },
    }
  }
  threadDies(): boolean {
    return this.deadly > 0 && this.random.unit() < this.deadly
  }

  /** One after another, each until it is given. */
  order(act: Act): void {
    this.#ordered = this.#ordered.then(() => this.#operator.give(act))
  }

  addCoordinator(name: string): void {
    this.coordinators.push(new SimulatedCoordinator(this, name))
  }
  addWorker(kept: Kept = { worker: `w${this.#made++}` }): SimulatedWorker {
    const worker = new SimulatedWorker(this, kept)
    this.workers.push(worker)
    return worker
  }
  get living(): SimulatedWorker[] {
    return this.workers.filter(({ process, leaving }) => process.alive && !leaving)
  }

  /**
   * Its supervisor starts it again after a while, with the plan that it kept.
   * @param afterMs infinite where its machine is gone for good
   */
  died(worker: SimulatedWorker, afterMs = worker.leaving ? Number.POSITIVE_INFINITY : RESTART_MS): void {
    worker.process.kill()
    this.#remove(worker)
    if (afterMs < Number.POSITIVE_INFINITY) this.world.after(afterMs, () => void this.addWorker(worker.kept))
  }
  left(worker: SimulatedWorker): void {
    worker.process.kill()
    this.#remove(worker)
  }
  #remove(worker: SimulatedWorker): void {
    const at = this.workers.indexOf(worker)
    if (at >= 0) this.workers.splice(at, 1)
  }

  killCoordinator(at: number, afterMs: number): void {
    const found = this.coordinators[at % this.coordinators.length]
    if (found === undefined) return
    found.process.kill()
    this.coordinators.splice(this.coordinators.indexOf(found), 1)
    this.world.after(afterMs, () => this.addCoordinator(`${found.process.name}'`))
  }

  stallBroker(): void {
    this.air.stalled ??= []
  }
  resumeBroker(): void {
    const waiting = this.air.stalled ?? []
    this.air.stalled = undefined
    for (const serve of waiting) this.world.after(0, serve)
  }
  moveLeader(topic: string, partition: number): void {
    const log = this.kafka.topic(topic)?.logs[partition]
    if (log === undefined) return
    log.leader = 1 + (log.leader % 3)
    log.leaderEpoch++
    this.kafka.signal.emit('more')
  }

  /** Whoever runs finds the new partition at its next look. */
  growInput(): void {
    this.grown++
    this.kafka.addPartition('in')
    this.feed(this.produced.push(0) - 1)
  }

  /** A batch every now and then, while the load lasts. */
  feed(partition: number): void {
    const again = () => {
      if (this.world.now >= LOAD_MS) return
      const costs = Array.from(
        { length: 1 + this.random.below(8) },
        () => COST_MS * (0.5 + this.random.unit()),
      )
      this.produce(partition, costs)
      this.world.after(200 + 800 * this.random.unit(), again)
    }
    this.world.after(500 * this.random.unit(), again)
  }

  /** One batch of the input. */
  produce(partition: number, costs: readonly number[]): void {
    const records = costs.map((cost) => ({
      timestamp: this.world.clock.wall(),
      key: `k${this.#record}`,
      value: JSON.stringify({ cost, at: this.#eventTime(), ...this.#fate(), id: this.#record++ }),
    }))
    this.kafka.put('in', partition, plainBatch(records))
    this.produced[partition] = (this.produced[partition] ?? 0) + records.length
  }
  #eventTime(): number {
    return Math.floor(this.world.clock.wall() - 3000 * this.random.unit())
  }
  #fate(): object {
    const at = this.random.below(60)
    if (at === 0) return { becomes: 'dead' }
    if (at === 1) return { becomes: 'drop' }
    return at === 2 ? { fails: 1 + this.random.below(4) } : {}
  }
}

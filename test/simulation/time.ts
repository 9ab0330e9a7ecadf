/**
 * Virtual time for several processes in one: a queue of events, and the clocks, timers and randomness of Node put in its
 * place, so that production code runs on it as it is.
 *
 * Laws: nothing happens but by an event of the queue, in the order of its due time, then of its making; what one event
 * sets off in promises ends before the next begins. A timer belongs to the process that set it: it waits while that
 * process is frozen, and never comes once it is dead. A frozen process's clock goes on, as a real one's does.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import type { Cancel, Clock } from '../../cluster/actor/clock.ts'
import { Heap } from './heap.ts'

export const EPOCH = Date.UTC(2026, 0, 1)

/** A simulated process; `undefined` in its place is the world itself: brokers, wires, whoever watches. */
export class Process {
  readonly name: string
  readonly #world: World
  /** Runs as this process. */
  readonly #run: <T>(act: () => T) => T
  #state: 'running' | 'frozen' | 'dead' = 'running'
  #held: (() => void)[] = []

  constructor(world: World, name: string) {
    this.#world = world
    this.name = name
    this.#run = world.as(this, () => AsyncLocalStorage.snapshot())
  }

  get alive(): boolean {
    return this.#state !== 'dead'
  }
  /** Has `act` done by this process: now, when it thaws, or never. */
  do(act: () => void): void {
    if (this.#state === 'frozen') this.#held.push(act)
    else if (this.#state === 'running') this.#run(act)
  }
  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen'
  }
  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    for (const act of this.#held.splice(0)) this.#world.after(0, act, this)
  }
  kill(): void {
    this.#state = 'dead'
    this.#held = []
  }
}

interface Event {
  readonly due: number
  readonly made: number
  act: (() => void) | undefined
}

const isBefore = (a: Event, b: Event): boolean => a.due < b.due || (a.due === b.due && a.made < b.made)

export class World {
  readonly #queue = new Heap<Event>(isBefore)
  readonly #acting = new AsyncLocalStorage<Process | undefined>()
  readonly #nobody = this.as(undefined, () => AsyncLocalStorage.snapshot())
  #now = 0
  #made = 0
  events = 0

  get now(): number {
    return this.#now
  }
  /** Who acts at the moment. */
  get process(): Process | undefined {
    return this.#acting.getStore()
  }
  as<T>(process: Process | undefined, act: () => T): T {
    return this.#acting.run(process, act)
  }
  /** @param process whose event it is; absent: the world's */
  after(ms: number, act: () => void, process?: Process): Cancel {
    const event: Event = { due: this.#now + Math.max(0, ms), made: this.#made++, act: undefined }
    event.act = () => (process === undefined ? this.#nobody(act) : process.do(act))
    this.#queue.push(event)
    return () => {
      event.act = undefined
    }
  }
  /** Timers belong to whoever sets them. */
  readonly clock: Clock = {
    now: () => this.#now,
    wall: () => Math.floor(EPOCH + this.#now),
    after: (ms, act) => this.after(ms, act, this.process),
  }

  /** Goes on until then, or until `done` says so. */
  async run(until: number, done: () => boolean = () => false): Promise<void> {
    await turn()
    for (let next = this.#queue.peek(); next !== undefined && next.due <= until; next = this.#queue.peek()) {
      this.#queue.pop()
      if (next.act === undefined) continue
      this.#now = next.due
      this.events++
      next.act()
      await turn()
      if (done()) return
    }
    this.#now = Math.max(this.#now, until)
  }
}

const realImmediate = timers.setImmediate
/** Real: whatever promises are settled run on before it. */
const turn = (): Promise<void> => new Promise((resolve) => void realImmediate(resolve))

/** What `setTimeout` gives: production code unrefs it, clears it, or leaves it. */
class Timer {
  readonly cancel: Cancel
  constructor(cancel: Cancel) {
    this.cancel = cancel
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  hasRef(): boolean {
    return true
  }
}

let world = new World()

/** Puts this world's time and chance in the place of Node's, for the rest of this process. Once a run. */
export const inhabit = (next: World, unit: () => number): void => {
  world = next
  Math.random = unit
  const uuid = () => {
    const hex = (digits: number) =>
      Math.floor(unit() * 16 ** digits)
        .toString(16)
        .padStart(digits, '0')
    return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}` as const
  }
  Object.assign(crypto, { randomUUID: uuid })
  const setTimeout = (act: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    new Timer(world.clock.after(ms, () => act(...args)))
  const setInterval = (act: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    let cancel: Cancel = () => {}
    const again = () => {
      cancel = world.clock.after(Math.max(1, ms), () => {
        again()
        act(...args)
      })
    }
    again()
    return new Timer(() => cancel())
  }
  const clear = (timer?: unknown) => {
    if (timer instanceof Timer) timer.cancel()
  }
  const replaced = { setTimeout, setInterval, clearTimeout: clear, clearInterval: clear }
  Object.assign(timers, replaced)
  Object.assign(globalThis, replaced)
  performance.now = () => world.now
  Date.now = () => world.clock.wall()
  syncBuiltinESMExports()
}

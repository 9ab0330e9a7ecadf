/**
 * Starts N child processes from one module, and starts a dead one again (restarts.ts decides). When it gives up, it stops
 * the others and `stopped` tells why, so that Docker or Kubernetes sees it.
 *
 * Children have a process group of their own: a Ctrl-C of the terminal reaches the supervisor only, which asks them to stop
 * over IPC, waits for the grace period and then kills. A child that outlives its supervisor ends by itself (child.ts).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Cancel, type Clock, systemClock } from '../cluster/actor/clock.ts'
import { MillraceError } from '../cluster/errors.ts'
import { ALIVE_MS, type FromChild, type ToChild } from './child.ts'
import { afterEnd, describeEnd, type Ended, type History, type RestartRules } from './restarts.ts'

export interface SupervisorOptions {
  /** Module of the child. */
  readonly entry: URL
  readonly processes: number
  readonly graceMs: number
  /** A child that is not heard of for so long is killed: its loop stands still. */
  readonly silenceMs: number
  readonly rules: RestartRules
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Node's own options; none of this process's are inherited, an `--import` would run again in each child. */
  readonly execArgv?: readonly string[]
  readonly clock?: Clock
  readonly onReady?: (index: number, pid: number) => void
  readonly onRestart?: (index: number, reason: string, waitMs: number) => void
}

export interface Supervisor {
  /** Asks the children to end, and waits for them; a second call kills them. */
  stop(): Promise<void>
  /** Resolves after an orderly stop; rejects with MillraceError `restart-budget`, or a child's own error at its first start. */
  readonly stopped: Promise<void>
  pids(): readonly number[]
  restarts(): number
}

/** So much later than it was due, a look says that this process stood still. */
const DEAF_MS = 3 * ALIVE_MS
/** Before its first word a child loads its modules, which a busy machine draws out. */
const LOAD_MS = 60_000

interface Place {
  readonly index: number
  child: ChildProcess | undefined
  kept: unknown
  /** Monotonic ms of its last word, or its start. */
  heardAt: number
  heard: boolean
  said: Ended['said']
  cancel: Cancel
}

export const startSupervisor = (options: SupervisorOptions): Supervisor => {
  const supervision = new Supervision(options)
  return {
    stop: () => supervision.stop(),
    stopped: supervision.stopped,
    pids: () => supervision.pids(),
    restarts: () => supervision.restarts,
  }
}

class Supervision {
  restarts = 0
  readonly #options: SupervisorOptions
  readonly #clock: Clock
  readonly #places: readonly Place[]
  readonly #end = Promise.withResolvers<void>()
  #history: History = { everReady: false, spent: [], inVain: 0 }
  #failure: MillraceError | undefined
  #stopping = false
  #kill: Cancel = () => {}
  #quiet: Cancel = () => {}

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#end.promise.catch(() => undefined)
    this.#places = Array.from({ length: options.processes }, (_, index) => ({
      index,
      child: undefined,
      kept: undefined,
      heardAt: 0,
      heard: false,
      said: undefined,
      cancel: () => {},
    }))
    for (const place of this.#places) this.#start(place)
    this.#listen(this.#clock.now())
  }

  /** Whoever stood still itself has heard nobody, and blames nobody. */
  #listen(last: number): void {
    const now = this.#clock.now()
    const { silenceMs } = this.#options
    for (const place of this.#places) {
      if (now - last > DEAF_MS) place.heardAt = now
      const limit = place.heard ? silenceMs : Math.max(silenceMs, LOAD_MS)
      if (place.child === undefined || now - place.heardAt < limit) continue
      place.said = { code: 'internal', detail: `its loop stood still for ${Math.round(silenceMs / 1000)} s` }
      place.child.kill('SIGKILL')
    }
    this.#quiet = this.#clock.after(ALIVE_MS, () => this.#listen(now))
  }

  get stopped(): Promise<void> {
    return this.#end.promise
  }

  pids(): readonly number[] {
    return this.#places.flatMap(({ child }) => (child?.pid === undefined ? [] : [child.pid]))
  }

  #start(place: Place): void {
    const { entry, execArgv = [], env } = this.#options
    const child = fork(fileURLToPath(entry), [], {
      execArgv: [...execArgv],
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...(env && { env }),
    })
    place.child = child
    place.said = undefined
    place.heardAt = this.#clock.now()
    place.heard = false
    child.on('message', (message: FromChild) => this.#heard(place, message))
    // A child that could not be started or spoken to also exits, or never did: both end below.
    child.on('error', (error) => {
      place.said ??= { code: 'internal', detail: error.message }
      if (child.pid === undefined)
        this.#ended(place, { exitCode: null, signal: 'no process', said: place.said })
    })
    child.on('exit', (exitCode, signal) => this.#ended(place, { exitCode, signal, said: place.said }))
    this.#tell(child, { kind: 'start', index: place.index, kept: place.kept })
  }

  #tell(child: ChildProcess, message: ToChild): void {
    // A channel that closes in this moment belongs to a child that ends: its exit is handled.
    if (child.connected) child.send(message, () => undefined)
  }

  #heard(place: Place, message: FromChild): void {
    place.heardAt = this.#clock.now()
    place.heard = true
    if (message.kind === 'alive') return
    if (message.kind === 'keep') place.kept = message.value
    else if (message.kind === 'failed') place.said = { code: message.code, detail: message.detail }
    else {
      this.#history = { ...this.#history, everReady: true, inVain: 0 }
      this.#options.onReady?.(place.index, place.child?.pid ?? 0)
    }
  }

  #ended(place: Place, ended: Ended): void {
    place.child = undefined
    if (this.#stopping) {
      this.#settle()
      return
    }
    const { rules, onRestart } = this.#options
    const verdict = afterEnd(ended, this.#history, rules, this.#clock.now(), Math.random())
    if (verdict.verdict === 'give-up') {
      this.#failure = new MillraceError(verdict.code, verdict.detail)
      void this.stop()
      return
    }
    this.#history = verdict.history
    this.restarts += 1
    onRestart?.(place.index, describeEnd(ended), verdict.waitMs)
    place.cancel = this.#clock.after(verdict.waitMs, () => this.#start(place), 'holds')
  }

  async stop(): Promise<void> {
    if (this.#stopping) this.#killAll()
    else {
      this.#stopping = true
      for (const { child, cancel } of this.#places) {
        cancel()
        if (child !== undefined) this.#tell(child, { kind: 'stop' })
      }
      this.#kill = this.#clock.after(this.#options.graceMs, () => this.#killAll(), 'holds')
      this.#settle()
    }
    await this.#end.promise.catch(() => undefined)
  }

  #killAll(): void {
    for (const { child } of this.#places) child?.kill('SIGKILL')
  }

  #settle(): void {
    if (this.#places.some(({ child }) => child !== undefined)) return
    this.#kill()
    this.#quiet()
    if (this.#failure === undefined) this.#end.resolve()
    else this.#end.reject(this.#failure)
  }
}
